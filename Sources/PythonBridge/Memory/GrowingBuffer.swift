internal import Glibc

/// Elements that are appended to memory which becomes a ``SharedBuffer`` of exactly their size.
///
/// Large memory grows in place or is moved by its pages, and else copied. Source: realloc(3). Its pages are asked for some at a time, since
/// a page fault for each takes several times as long. Source: madvise(2), `MADV_POPULATE_WRITE`.
@safe
package struct GrowingBuffer<Element: BufferElement>: ~Copyable {
    private var start: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private var count = 0
    /// How many bytes have been touched, or their pages asked for.
    private var populated = 0

    /// For how many bytes pages are asked for at once, and the most that is never used of them.
    private static var window: Int { 256 << 10 }

    package init() {}

    deinit { unsafe free(start) }

    /// - Throws: ``PythonError/outOfMemory(byteCount:)``.
    package mutating func append(_ elements: Span<Element>) throws(PythonError) {
        let needed = count + elements.count
        if needed > capacity { try resize(to: max(needed, 2 * capacity)) }
        guard let start = unsafe start else { return }
        let end = needed * MemoryLayout<Element>.stride
        if end > populated { unsafe populate(start, to: end) }
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
        defer { (count, capacity, populated) = (0, 0, 0) }
        let storage = unsafe SharedStorage(takingOver: memory, byteCount: count * MemoryLayout<Element>.stride)
        return SharedBuffer(storage: storage, byteOffset: 0, count: count, isWritableByPython: false)
    }

    /// Asks for the pages up to there and of one window more. Where the kernel has no such request they come when they are touched.
    private mutating func populate(_ start: UnsafeMutablePointer<Element>, to end: Int) {
        let byteCount = capacity * MemoryLayout<Element>.stride
        let next = min(byteCount, end + Self.window)
        if byteCount > Self.window {
            let pageMask = UInt(sysconf(Int32(_SC_PAGESIZE))) - 1
            let first = UInt(bitPattern: start)
            let pages = ((first + UInt(populated)) & ~pageMask)..<((first + UInt(next)) & ~pageMask)
            unsafe madvise(UnsafeMutableRawPointer(bitPattern: pages.lowerBound), pages.count, MADV_POPULATE_WRITE)
            populated = next
        }
    }

    private mutating func resize(to capacity: Int) throws(PythonError) {
        let byteCount = capacity * MemoryLayout<Element>.stride
        guard let memory = unsafe realloc(start, byteCount) else { throw .outOfMemory(byteCount: byteCount) }
        unsafe start = memory.assumingMemoryBound(to: Element.self)
        self.capacity = capacity
    }
}
