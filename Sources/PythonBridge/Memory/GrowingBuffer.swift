internal import Glibc

/// Elements that are appended to memory which becomes a ``SharedBuffer`` of exactly their size.
///
/// Large memory grows in place or is moved by its pages, and else copied. Source: realloc(3).
@safe
package struct GrowingBuffer<Element: BufferElement>: ~Copyable {
    private var start: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private var count = 0

    package init() {}

    deinit { unsafe free(start) }

    /// - Throws: ``PythonError/outOfMemory(byteCount:)``.
    package mutating func append(_ elements: Span<Element>) throws(PythonError) {
        let needed = count + elements.count
        if needed > capacity { try resize(to: max(needed, 2 * capacity)) }
        guard let start = unsafe start else { return }
        unsafe elements.withUnsafeBufferPointer { elements in
            guard let first = elements.baseAddress else { return }
            unsafe (start + count).initialize(from: first, count: elements.count)
        }
        count = needed
    }

    /// Gives the elements away, as an input: neither Python nor Swift may write to them.
    ///
    /// - Throws: ``PythonError/outOfMemory(byteCount:)``.
    package mutating func finish() throws(PythonError) -> SharedBuffer<Element> {
        if count < capacity { try resize(to: count) }
        guard let memory = unsafe start else { return SharedBuffer(sharing: []) }
        unsafe start = nil
        defer { (count, capacity) = (0, 0) }
        let storage = unsafe SharedStorage(takingOver: memory, byteCount: count * MemoryLayout<Element>.stride)
        return SharedBuffer(storage: storage, byteOffset: 0, count: count, isWritableByPython: false)
    }

    private mutating func resize(to capacity: Int) throws(PythonError) {
        let byteCount = capacity * MemoryLayout<Element>.stride
        guard let memory = unsafe realloc(start, byteCount) else { throw .outOfMemory(byteCount: byteCount) }
        unsafe start = memory.assumingMemoryBound(to: Element.self)
        self.capacity = capacity
    }
}
