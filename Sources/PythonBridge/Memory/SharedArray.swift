/// Elements of a ``SharedBuffer`` as an array of any number of dimensions: a matrix, an image, every other column backwards.
///
/// It is a reference to the buffer's memory, which it keeps; nothing is copied. Python sees a `memoryview` of the same shape and
/// strides, which it may keep, and may write to if it may write to the buffer. An array that shows an element more than once
/// (a stride of zero) is read-only to Python.
public struct SharedArray<Element: BufferElement>: Sendable {
    /// The whole memory that the array is part of.
    public let buffer: SharedBuffer<Element>
    /// Which elements of `buffer` it consists of.
    public let layout: ArrayLayout

    /// Elements of a buffer, wherever `layout` says.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when an element would lie outside the buffer.
    public init(_ buffer: SharedBuffer<Element>, layout: ArrayLayout) throws(PythonError) {
        try layout.check(within: buffer.count, elementSize: MemoryLayout<Element>.stride)
        self.buffer = buffer
        self.layout = layout
    }

    /// A buffer's elements from the first on, by rows (C's order).
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when the buffer has fewer elements than the shape, or it is no shape.
    public init(_ buffer: SharedBuffer<Element>, shape: [Int]) throws(PythonError) {
        try self.init(buffer, layout: ArrayLayout(rowMajor: shape))
    }

    /// A buffer's elements from the first on, by columns (Fortran's order).
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when the buffer has fewer elements than the shape, or it is no shape.
    public init(_ buffer: SharedBuffer<Element>, columnMajorShape shape: [Int]) throws(PythonError) {
        try self.init(buffer, layout: ArrayLayout(columnMajor: shape))
    }

    /// Zeroed memory of its own, by rows, that Python may write to.
    ///
    /// - Parameters:
    ///   - shape: The length of each dimension.
    ///   - hugePages: For memory that will be filled, as ``SharedBuffer/init(capacity:hugePages:)`` says.
    /// - Throws: ``PythonError/outOfMemory(byteCount:)``; ``PythonError/invalidBuffer(_:)`` when it is no shape.
    public init(shape: [Int], hugePages: Bool = false) throws(PythonError) {
        let layout = try ArrayLayout(rowMajor: shape)
        try self.init(try SharedBuffer(capacity: layout.count, hugePages: hugePages), layout: layout)
    }

    private init(unchecked buffer: SharedBuffer<Element>, _ layout: ArrayLayout) {
        self.buffer = buffer
        self.layout = layout
    }

    /// The length of each dimension.
    public var shape: [Int] { layout.shape }

    /// The number of elements.
    public var count: Int { layout.count }

    /// The same memory with the dimensions in reverse order.
    public var transposed: SharedArray { SharedArray(unchecked: buffer, layout.transposed) }

    /// The same memory with one dimension backwards.
    ///
    /// - Precondition: The array has that dimension.
    public func reversed(along dimension: Int) -> SharedArray {
        SharedArray(unchecked: buffer, layout.reversed(along: dimension))
    }

    /// The same memory, repeated without a copy to a larger shape.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when the shapes do not go together, or the new one is too large.
    public func broadcast(to shape: [Int]) throws(PythonError) -> SharedArray {
        try SharedArray(buffer, layout: layout.broadcast(to: shape))
    }

    /// The same memory as an input: Python may not write to it.
    public var readOnly: SharedArray { SharedArray(unchecked: buffer.readOnly, layout) }

    /// Whether Python may write to the memory.
    public var isWritableByPython: Bool { buffer.isWritableByPython && !layout.repeatsElements }

    /// The element with the given indices, one for each dimension.
    ///
    /// - Precondition: There is such an element; to set, the memory is not an array's nor a read-only mapping.
    public subscript(_ indices: Int...) -> Element {
        get { buffer[checked(layout.position(of: indices))] }
        nonmutating set { buffer[checked(layout.position(of: indices))] = newValue }
    }

    /// The element at `row` and `column` of two dimensions.
    ///
    /// - Precondition: As for any number of indices.
    @inlinable
    public subscript(row: Int, column: Int) -> Element {
        get { buffer[checked(layout.position(of: row, column))] }
        nonmutating set { buffer[checked(layout.position(of: row, column))] = newValue }
    }

    @usableFromInline
    func checked(_ position: Int?) -> Int {
        guard let position else { preconditionFailure("SharedArray index is out of bounds") }
        return position
    }

    /// A copy of the elements, the last index counting fastest.
    public var elements: [Element] {
        var elements: [Element] = []
        elements.reserveCapacity(count)
        layout.forEachPosition { elements.append(buffer[$0]) }
        return elements
    }
}

extension SharedArray: PythonConvertible {
    /// A `memoryview` of the memory, which Python may keep.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        try buffer.storage.share(
            layout, of: Element.self, from: buffer.byteOffset, isReadOnly: !isWritableByPython)
    }
}

extension SharedArray: PythonResult {
    /// The memory of a ``SharedArray`` or a ``SharedBuffer``, or of part of one, that comes back from Python: as a `memoryview`,
    /// or as an array made from one.
    /// It is the same memory, and Python may go on holding it.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` when it is other memory, or is not aligned and of this element type.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> SharedArray {
        func expected() -> String { "a view of a SharedArray of \(Element.self)" }
        let view = try PythonView(of: value, expected: expected())
        let layout = try view.layout(of: Element.self, expected: expected())
        // A buffer from the lowest element to the highest.
        let buffer = try SharedBuffer<Element>(view, of: value, positions: layout.positions, expected: expected())
        let offset = -(layout.positions?.lowerBound ?? 0)
        return SharedArray(
            unchecked: buffer, try ArrayLayout(shape: layout.shape, strides: layout.strides, offset: offset))
    }
}
