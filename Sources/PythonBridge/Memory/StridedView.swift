/// Evenly spaced elements of a ``SharedBuffer``, such as one column of a table that is stored by rows.
///
/// The view holds the buffer's memory; nothing is copied. Python sees a strided `memoryview` that it may keep but not write to.
public struct StridedView<Element: BufferElement>: Sendable {
    /// The whole memory that the view picks from.
    public let buffer: SharedBuffer<Element>
    /// The position in `buffer` of the first element.
    public let start: Int
    /// How many elements of `buffer` lie from one element to the next; negative to go backwards.
    public let stride: Int
    /// The number of elements.
    public let count: Int

    /// Every `stride`-th of the elements of `buffer` from `start` on.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when an element would lie outside the buffer.
    public init(
        of buffer: SharedBuffer<Element>, from start: Int = 0, by stride: Int = 1, count: Int
    ) throws(PythonError) {
        guard count >= 0 else { throw .invalidBuffer("a count of \(count) elements is negative") }
        let (distance, overflow) = stride.multipliedReportingOverflow(by: Swift.max(count - 1, 0))
        let (end, overflowToo) = start.addingReportingOverflow(distance)
        let isCountable = count <= .max / MemoryLayout<Element>.stride
        let isInside =
            isCountable && !overflow && !overflowToo && buffer.indices.contains(start) && buffer.indices.contains(end)
        guard isInside || count == 0 else {
            throw .invalidBuffer("\(count) elements from \(start) by \(stride) leave a buffer of \(buffer.count)")
        }
        self.buffer = buffer
        self.start = count == 0 ? 0 : start
        self.stride = count > 1 ? stride : 1  // there is nothing to stride to
        self.count = count
    }

    /// All the elements of `buffer`, one after the other.
    public init(_ buffer: SharedBuffer<Element>) {
        self.buffer = buffer
        self.start = 0
        self.stride = 1
        self.count = buffer.count
    }
}

extension StridedView: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { count }

    /// The element at `position`.
    ///
    /// - Precondition: `position` is within `0..<count`.
    @inlinable
    public subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count, "StridedView index is out of bounds")
        return buffer[start + position * stride]
    }
}

extension StridedView: PythonConvertible {
    /// The view that calls are given from the third one on.
    @inlinable
    public var keptView: KeptView? {
        let size = MemoryLayout<Element>.stride
        return unsafe buffer.storage.keptView(
            base: buffer.base + start * size, count: count, stride: stride * size, format: Element.formatText,
            isReadOnly: true)
    }

    /// Appends a `memoryview` of the memory, which Python may keep but not write to; the same one from call to call until it keeps it.
    @inlinable
    @unsafe public borrowing func pass(to call: inout PythonCall) throws(PythonError) {
        let size = MemoryLayout<Element>.stride
        let (view, exporter) = try unsafe buffer.storage.shareForCall(
            base: buffer.base + start * size, count: count, stride: stride * size, itemSize: size,
            format: Element.formatText, isReadOnly: true)
        unsafe call.append(view, exporter: exporter)
    }

    /// A `memoryview` of the memory, which Python may keep but not write to.
    @inlinable
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        let size = MemoryLayout<Element>.stride
        return try unsafe buffer.storage.share(
            base: buffer.base + start * size, count: count, stride: stride * size, itemSize: size,
            format: Element.formatText, isReadOnly: true)
    }
}
