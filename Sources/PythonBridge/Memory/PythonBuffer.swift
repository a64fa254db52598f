/// Contiguous elements that Python owns, read by Swift where they are: the result of a function that returns an array.
///
/// The buffer holds a view, so that the array lives as long as the buffer, and refuses to be resized meanwhile, unless Python forces
/// it (`ndarray.resize(…, refcheck=False)`). It is given up on any thread; on one that is not attached, at the next attachment.
///
/// Reading is safe as long as Python does not write at the same time. Source: `PyObject_GetBuffer`.
@safe
public final class PythonBuffer<Element: BufferElement>: Sendable {
    private let view: PythonView
    @usableFromInline nonisolated(unsafe) let base: UnsafeRawPointer
    /// The number of elements.
    public let count: Int

    private init(view: PythonView, count: Int) {
        self.view = view
        unsafe base = unsafe UnsafeRawPointer(view.base)
        self.count = count
    }

    /// Calls `body` with the memory. The pointer is valid until `body` returns.
    ///
    /// - Throws: What `body` throws.
    @inlinable
    public func withUnsafeBufferPointer<R, E>(_ body: (UnsafeBufferPointer<Element>) throws(E) -> R) throws(E) -> R {
        defer { extendLifetime(self) }
        return try unsafe body(UnsafeBufferPointer(start: base.assumingMemoryBound(to: Element.self), count: count))
    }
}

extension PythonBuffer where Element: Numeric {
    /// The elements, to be read without a call for each. The compiler keeps the span within the life of the buffer.
    @inlinable
    public var span: Span<Element> {
        @_lifetime(borrow self)
        get {
            let memory = unsafe UnsafeBufferPointer(start: base.assumingMemoryBound(to: Element.self), count: count)
            return unsafe _overrideLifetime(Span(_unsafeElements: memory), borrowing: self)
        }
    }
}

extension PythonBuffer: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { count }

    /// The element at `position`.
    ///
    /// - Precondition: `position` is within `0..<count`.
    @inlinable
    public subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count, "PythonBuffer index is out of bounds")
        defer { extendLifetime(self) }
        return unsafe Element.element(at: base + position * MemoryLayout<Element>.stride)
    }
}

extension PythonBuffer: PythonResult {
    /// Views the memory of an array, a `memoryview`, `bytes`, a tensor or anything else that shares its memory by the buffer
    /// protocol, DLPack or the Arrow C data interface.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` unless it is one-dimensional, contiguous, aligned and of this element
    ///   type in this machine's byte order.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Self {
        let view = try PythonView(of: value, expected: "a buffer of \(Element.self)")
        let count = try view.contiguousCount(
            of: Element.self, expected: "a contiguous one-dimensional buffer of \(Element.self)")
        return Self(view: view, count: count)
    }
}
