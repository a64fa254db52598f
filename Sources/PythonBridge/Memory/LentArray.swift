/// Memory of any shape and strides that is lent to Python for one call, made by `.lending(array, layout)` and its kin.
public struct LentArray<Element: BufferElement>: ~Copyable, ~Escapable {
    private let memory: Lent<Element>
    private let layout: ArrayLayout

    @_lifetime(copy memory)
    init(_ memory: consuming Lent<Element>, _ layout: ArrayLayout) {
        self.memory = memory
        self.layout = layout
    }
}

extension LentArray: PythonArgument {
    /// Lends the memory until the call is over. The value must live until then.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when an element would lie outside it.
    @unsafe public borrowing func pass(to call: inout PythonCall) throws(PythonError) {
        let size = MemoryLayout<Element>.stride
        try layout.check(within: memory.count, elementSize: size)
        if case .storage(let storage) = memory.owner { try storage.checkFile() }
        let base = unsafe layout.count == 0 ? memory.base : memory.base + layout.offset * size
        try unsafe layout.withShapeAndStrides(elementSize: size) { shapeAndStrides throws(PythonError) in
            try unsafe call.appendLent(
                base: base, dimensions: layout.shape.count, shapeAndStrides: shapeAndStrides, itemSize: size,
                format: Element.formatText, isReadOnly: memory.isReadOnly || layout.repeatsElements)
        }
    }

    /// As ``Lent`` does.
    public borrowing func lendDidEnd(hasEscaped: Bool) { memory.lendDidEnd(hasEscaped: hasEscaped) }

    /// The array or the shared memory.
    public var lendOwner: (any Sendable)? { memory.lendOwner }
}

extension PythonArgument where Self: ~Copyable & ~Escapable {
    /// Lends an array to be read as one of any number of dimensions. A write raises in Python.
    ///
    /// That the layout is within the array is checked when the call is made.
    @_lifetime(immortal)
    public static func lending<E>(_ array: [E], _ layout: ArrayLayout) -> Self where Self == LentArray<E> {
        LentArray(.lending(array), layout)
    }

    /// Lends an array to be read and written to, in place, as one of any number of dimensions.
    ///
    /// If a view escapes, the memory is Python's from then on, and the array goes on with a copy of what it held then.
    @_lifetime(&array)
    public static func lending<E>(_ array: inout [E], _ layout: ArrayLayout) -> Self where Self == LentArray<E> {
        LentArray(.lending(&array), layout)
    }

    /// Lends shared memory: to be read, or written to as well if Python may write to it.
    @_lifetime(immortal)
    public static func lending<E>(_ array: SharedArray<E>) -> Self where Self == LentArray<E> {
        LentArray(.lending(array.buffer), array.layout)
    }

    /// Lends raw memory to be read as an array of any number of dimensions. A write raises in Python.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/View/lease`` has ended.
    @_lifetime(immortal)
    @unsafe public static func lending<E>(
        _ memory: UnsafeBufferPointer<E>, _ layout: ArrayLayout
    ) -> Self where Self == LentArray<E> {
        unsafe LentArray(.lending(memory), layout)
    }

    /// Lends raw memory to be read and written to as an array of any number of dimensions.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/View/lease`` has ended.
    @_lifetime(immortal)
    @unsafe public static func lending<E>(
        _ memory: UnsafeMutableBufferPointer<E>, _ layout: ArrayLayout
    ) -> Self where Self == LentArray<E> {
        unsafe LentArray(.lending(memory), layout)
    }
}
