/// An array of any number of dimensions that Python owns, read by Swift where it is, with whatever strides it has.
///
/// The array holds a view, as ``PythonBuffer`` does, which is the better type for contiguous elements in one dimension.
/// Reading is safe as long as Python does not write at the same time.
@safe
public final class PythonArray<Element: BufferElement>: Sendable {
    private let view: PythonView
    private nonisolated(unsafe) let base: UnsafeRawPointer
    /// Where the elements lie, counted from the one whose indices are all zero.
    public let layout: ArrayLayout

    private init(view: PythonView, layout: ArrayLayout) {
        self.view = view
        unsafe base = unsafe UnsafeRawPointer(view.base)
        self.layout = layout
    }

    /// The length of each dimension.
    public var shape: [Int] { layout.shape }

    /// The number of elements.
    public var count: Int { layout.count }

    /// The element with the given indices, one for each dimension.
    ///
    /// - Precondition: There is such an element.
    public subscript(_ indices: Int...) -> Element { element(layout.position(of: indices)) }

    /// The element at `row` and `column` of two dimensions.
    ///
    /// - Precondition: There is such an element.
    public subscript(row: Int, column: Int) -> Element { element(layout.position(of: row, column)) }

    private func element(_ position: Int?) -> Element {
        guard let position else { preconditionFailure("PythonArray index is out of bounds") }
        defer { extendLifetime(self) }
        return unsafe Element.element(at: base + position * MemoryLayout<Element>.stride)
    }

    /// A copy of the elements, the last index counting fastest.
    public var elements: [Element] {
        var elements: [Element] = []
        elements.reserveCapacity(count)
        layout.forEachPosition { elements.append(element($0)) }
        return elements
    }

    /// Calls `body` with the address of the element whose indices are all zero, valid until `body` returns.
    ///
    /// - Throws: What `body` throws.
    public func withUnsafePointer<R, E>(_ body: (UnsafeRawPointer) throws(E) -> R) throws(E) -> R {
        defer { extendLifetime(self) }
        return try unsafe body(base)
    }
}

extension PythonArray: PythonResult {
    /// Views the memory of an array, a tensor, or anything else that shares its memory by the buffer protocol, DLPack or the
    /// Arrow C data interface.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` unless it is aligned and of this element type in this machine's byte
    ///   order, its elements a whole number of elements apart; ``PythonError/exception(_:)`` when the object does not give its
    ///   memory; ``PythonError/invalidBuffer(_:)`` when its shape is too large.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Self {
        let expected = "an array of \(Element.self)"
        let view = try PythonView(of: value, expected: expected)
        return Self(view: view, layout: try view.layout(of: Element.self, expected: expected))
    }
}
