/// Contiguous elements in reference-counted memory that Swift and Python use at the same time.
///
/// A `SharedBuffer` is a reference: copies of it, and the views Python makes of it, are the same memory, which is given back
/// when the last of them is gone. Passed to a ``PythonFunction`` it arrives as a one-dimensional `memoryview`, of which
/// `numpy.asarray` makes an array at the same address. Python may keep that array for as long as it likes.
///
/// Memory made by ``init(capacity:hugePages:)`` or ``init(sharedMemoryCapacity:)``, a file mapped to be written to, and what Python asked a
/// ``BufferAllocator`` for, are outputs: Python may write to them. Any other is an input, and a write raises in Python; ``readOnly``
/// makes an input of an output.
///
/// The buffer is `Sendable` in the way of a numpy array: reading from many threads is fine; an element that one thread writes
/// while another reads it may have either value.
@safe
public struct SharedBuffer<Element: BufferElement>: Sendable {
    @usableFromInline package let storage: SharedStorage
    @usableFromInline package let byteOffset: Int
    /// The number of elements.
    public let count: Int
    /// Whether Python may write to the memory. A write to other memory raises in Python (`ValueError` from numpy).
    public let isWritableByPython: Bool

    @usableFromInline
    package init(storage: SharedStorage, byteOffset: Int, count: Int, isWritableByPython: Bool) {
        self.storage = storage
        self.byteOffset = byteOffset
        self.count = count
        self.isWritableByPython = isWritableByPython
    }

    /// Zeroed memory for `capacity` elements, aligned to 64 bytes, that Python may write to.
    ///
    /// From 128 KiB up the memory is reserved only: pages that nobody touches cost nothing, so a generous capacity is free.
    ///
    /// - Parameters:
    ///   - capacity: The number of elements.
    ///   - hugePages: For memory that will be filled: from 4 MiB up the kernel is asked for huge pages, as numpy asks it for its own
    ///     arrays. They are quicker to fill and to read, but the first touch of one takes it whole, 2 MiB on most machines. Where the
    ///     kernel has none, the memory is as without. Source: madvise(2), `MADV_HUGEPAGE`.
    /// - Throws: ``PythonError/outOfMemory(byteCount:)``; ``PythonError/invalidBuffer(_:)`` for a negative capacity.
    @inlinable
    public init(capacity: Int, hugePages: Bool = false) throws(PythonError) {
        let storage = try SharedStorage.allocate(
            count: capacity, size: MemoryLayout<Element>.stride, hugePages: hugePages)
        self.init(storage: storage, byteOffset: 0, count: capacity, isWritableByPython: true)
    }

    /// Zeroed anonymous shared memory for `capacity` elements, aligned to a page, that Python may write to.
    ///
    /// Another process can map the same pages by the descriptor that ``withSharedMemoryDescriptor(_:)`` gives. Nobody can change
    /// its size, so that no process can end another by shortening it. Source: memfd_create(2), with the seals `F_SEAL_SHRINK`,
    /// `F_SEAL_GROW` and `F_SEAL_SEAL`.
    /// - Throws: ``PythonError/outOfMemory(byteCount:)``; ``PythonError/invalidBuffer(_:)`` for a negative capacity;
    ///   ``PythonError/file(path:errno:)`` when the process has no descriptor left.
    @inlinable
    public init(sharedMemoryCapacity capacity: Int) throws(PythonError) {
        let storage = try SharedStorage.allocateAnonymousFile(count: capacity, size: MemoryLayout<Element>.stride)
        self.init(storage: storage, byteOffset: 0, count: capacity, isWritableByPython: true)
    }

    /// A copy of the elements in shared memory, aligned to 64 bytes: an input, which Python may not write to.
    ///
    /// From 4 MiB up in huge pages where the kernel has them, as ``init(capacity:hugePages:)`` says.
    ///
    /// - Throws: ``PythonError/outOfMemory(byteCount:)``.
    @inlinable
    public init(contentsOf elements: some Collection<Element>) throws(PythonError) {
        let count = elements.count
        let storage = try SharedStorage.allocate(count: count, size: MemoryLayout<Element>.stride, hugePages: true)
        let target = unsafe UnsafeMutableBufferPointer(
            start: storage.base.assumingMemoryBound(to: Element.self), count: count)
        _ = unsafe target.initialize(from: elements)
        MemoryLedger.countCopy(byteCount: storage.byteCount)
        self.init(storage: storage, byteOffset: 0, count: count, isWritableByPython: false)
    }

    /// The memory of an array as it is, without a copy: an input, which neither Python nor Swift may write to.
    ///
    /// The buffer holds the array, so the memory stays as it is now; a later change to the array is made on a copy.
    @inlinable
    public init(sharing array: [Element]) {
        self.init(storage: .adopt(array), byteOffset: 0, count: array.count, isWritableByPython: false)
    }

    /// How a file is mapped.
    public enum FileAccess: Sendable {
        /// An input: neither Python nor Swift may write to it.
        case readOnly
        /// Python and Swift may write to it, and what they write is in the file.
        case readWrite
    }

    /// A file's bytes as elements, mapped rather than read.
    ///
    /// The mapping lives as long as the buffer and every view of it. A file that another program has shortened is refused when it
    /// is passed to Python. One that is shortened during a call, or while Swift or a kept view reads it, ends the process at the
    /// touch of a lost page (`SIGBUS`), as it would with `numpy.memmap`.
    ///
    /// - Parameters:
    ///   - path: The file, in this machine's byte order.
    ///   - byteOffset: Where the elements start, a multiple of their alignment.
    ///   - count: How many there are; as many as the file has when it is nil.
    ///   - access: Whether the memory may be written to.
    /// - Throws: ``PythonError/file(path:errno:)`` when the file cannot be mapped; ``PythonError/invalidBuffer(_:)`` when the
    ///   elements are misaligned, go past its end, or do not come out even.
    /// - Note: Source: mmap(2).
    public init(
        mapping path: String, byteOffset: Int = 0, count: Int? = nil, access: FileAccess = .readOnly
    ) throws(PythonError) {
        let storage = try SharedStorage.map(path, isWritable: access == .readWrite)
        let bytes = SharedBuffer<UInt8>(
            storage: storage, byteOffset: 0, count: storage.byteCount, isWritableByPython: access == .readWrite)
        try self.init(reinterpreting: bytes, byteOffset: byteOffset, count: count)
    }

    /// Bytes as elements, in the same memory, which Python may write to if it may write to the bytes.
    ///
    /// - Parameters:
    ///   - bytes: The memory.
    ///   - byteOffset: Where the elements start.
    ///   - count: How many there are; as many as the bytes make when it is nil.
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when the elements are misaligned, go past the end, or do not come out even.
    public init(
        reinterpreting bytes: SharedBuffer<UInt8>, byteOffset: Int = 0, count: Int? = nil
    ) throws(PythonError) {
        let size = MemoryLayout<Element>.stride
        guard byteOffset >= 0, byteOffset <= bytes.count else {
            throw .invalidBuffer("there is no byte \(byteOffset) among \(bytes.count)")
        }
        let address = unsafe UInt(bitPattern: bytes.base + byteOffset)
        guard address.isMultiple(of: UInt(MemoryLayout<Element>.alignment)) else {
            throw .invalidBuffer("elements of \(size) bytes are misaligned at byte \(byteOffset)")
        }
        let available = bytes.count - byteOffset
        guard count != nil || available.isMultiple(of: size) else {
            throw .invalidBuffer("\(available) bytes are not a whole number of elements of \(size) bytes")
        }
        let count = count ?? available / size
        guard count >= 0, count <= available / size else {
            throw .invalidBuffer("\(available) bytes hold \(available / size) elements of \(size) bytes, not \(count)")
        }
        self.init(
            storage: bytes.storage, byteOffset: bytes.byteOffset + byteOffset, count: count,
            isWritableByPython: bytes.isWritableByPython)
    }

    /// The same memory as an input: Python may not write to it.
    public var readOnly: SharedBuffer {
        SharedBuffer(storage: storage, byteOffset: byteOffset, count: count, isWritableByPython: false)
    }

    /// The same memory from `bounds.lowerBound` on, counted anew from 0.
    ///
    /// - Precondition: `bounds` is within `0..<count`.
    public func extracting(_ bounds: Range<Int>) -> SharedBuffer {
        precondition(bounds.lowerBound >= 0 && bounds.upperBound <= count, "SharedBuffer range is out of bounds")
        let offset = byteOffset + bounds.lowerBound * MemoryLayout<Element>.stride
        return SharedBuffer(
            storage: storage, byteOffset: offset, count: bounds.count, isWritableByPython: isWritableByPython)
    }

    /// Gives the pages of a mapped file that these elements lie in back to the system: behind a reader of a file that is larger than
    /// memory, so that other files stay in the page cache.
    ///
    /// Nothing is lost: the pages are read again when they are touched. Memory of any other kind stays as it is.
    /// - Precondition: `bounds` is within `0..<count`.
    public func evict(_ bounds: Range<Int>) {
        precondition(bounds.lowerBound >= 0 && bounds.upperBound <= count, "SharedBuffer range is out of bounds")
        let size = MemoryLayout<Element>.stride
        storage.evict(byteOffset + bounds.lowerBound * size..<byteOffset + bounds.upperBound * size)
    }

    /// Every `stride`-th element from `start` on, in the same memory: a column of a table that is stored by rows.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when an element would lie outside the buffer.
    public func strided(from start: Int, by stride: Int, count: Int) throws(PythonError) -> StridedView<Element> {
        try StridedView(of: self, from: start, by: stride, count: count)
    }

    /// Calls `body` with the descriptor of anonymous shared memory and the byte in it at which the elements start.
    ///
    /// The descriptor is the buffer's, valid until `body` returns. The file has the bytes that the buffer was made with, from its
    /// start on. A program that this process starts does not inherit it.
    /// - Returns: What `body` returns; nil when the memory is of another kind than ``init(sharedMemoryCapacity:)`` makes.
    /// - Throws: What `body` throws.
    public func withSharedMemoryDescriptor<R, E>(
        _ body: (_ descriptor: Int32, _ byteOffset: Int) throws(E) -> R
    ) throws(E) -> R? {
        guard let descriptor = storage.sharedMemoryDescriptor else { return nil }
        storage.mapping?.countPass()
        defer { extendLifetime(storage) }
        return try body(descriptor, byteOffset)
    }

    @usableFromInline var base: UnsafeMutableRawPointer { unsafe storage.base + byteOffset }

    /// Calls `body` with the memory. The pointer is valid until `body` returns.
    ///
    /// - Throws: What `body` throws.
    @inlinable
    public func withUnsafeBufferPointer<R, E>(
        _ body: (UnsafeBufferPointer<Element>) throws(E) -> R
    ) throws(E) -> R {
        defer { extendLifetime(storage) }
        return try unsafe body(UnsafeBufferPointer(start: base.assumingMemoryBound(to: Element.self), count: count))
    }

    /// Calls `body` with the memory, to be written to. The pointer is valid until `body` returns.
    ///
    /// - Precondition: The memory is not an array's nor a read-only mapping.
    /// - Throws: What `body` throws.
    @inlinable
    public func withUnsafeMutableBufferPointer<R, E>(
        _ body: (UnsafeMutableBufferPointer<Element>) throws(E) -> R
    ) throws(E) -> R {
        precondition(storage.isMutable, "SharedBuffer over an array or a read-only mapping is immutable")
        defer { extendLifetime(storage) }
        let base = unsafe base.assumingMemoryBound(to: Element.self)
        return try unsafe body(UnsafeMutableBufferPointer(start: base, count: count))
    }
}

extension SharedBuffer where Element: Numeric {
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

extension SharedBuffer: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { count }

    /// The element at `position`.
    ///
    /// - Precondition: `position` is within `0..<count`; to set, the memory is not an array's nor a read-only mapping.
    @inlinable
    public subscript(position: Int) -> Element {
        get {
            precondition(position >= 0 && position < count, "SharedBuffer index is out of bounds")
            defer { extendLifetime(storage) }
            return unsafe Element.element(at: base + position * MemoryLayout<Element>.stride)
        }
        nonmutating set {
            precondition(position >= 0 && position < count, "SharedBuffer index is out of bounds")
            precondition(storage.isMutable, "SharedBuffer over an array or a read-only mapping is immutable")
            defer { extendLifetime(storage) }
            unsafe (base + position * MemoryLayout<Element>.stride).storeBytes(of: newValue, as: Element.self)
        }
    }
}

extension SharedBuffer: PythonConvertible {
    /// The view that calls are given from the third one on.
    @inlinable
    public var keptView: KeptView? {
        unsafe storage.keptView(
            base: base, count: count, stride: MemoryLayout<Element>.stride, format: Element.formatText,
            isReadOnly: !isWritableByPython)
    }

    /// Appends a `memoryview` of the memory, which Python may keep; the same one from call to call until it does.
    @inlinable
    @unsafe public borrowing func pass(to call: inout PythonCall) throws(PythonError) {
        let size = MemoryLayout<Element>.stride
        let (view, exporter) = try unsafe storage.shareForCall(
            base: base, count: count, stride: size, itemSize: size, format: Element.formatText,
            isReadOnly: !isWritableByPython)
        unsafe call.append(view, exporter: exporter)
    }

    /// A `memoryview` of the memory, which Python may keep.
    @inlinable
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        let size = MemoryLayout<Element>.stride
        return try unsafe storage.share(
            base: base, count: count, stride: size, itemSize: size, format: Element.formatText,
            isReadOnly: !isWritableByPython)
    }
}

extension SharedBuffer: PythonResult {
    /// The memory of a `SharedBuffer`, or of part of one, that comes back from Python as a `memoryview` or as an array made from
    /// one: what a ``BufferAllocator`` made, or what Swift passed. It is the same memory, and Python may go on holding it.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` when it is other memory, or is not one-dimensional, contiguous,
    ///   aligned and of this element type.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> SharedBuffer {
        func expected() -> String { "a contiguous one-dimensional view of a SharedBuffer of \(Element.self)" }
        let view = try PythonView(of: value, expected: expected())
        let count = try view.contiguousCount(of: Element.self, expected: expected())
        return try SharedBuffer(view, of: value, positions: count == 0 ? nil : 0...count - 1, expected: expected())
    }

    /// The Swift memory behind a view: the elements at `positions`, counted from the view's base, or none. Python may have made
    /// any array of it, also one that leaves it.
    init(
        _ view: PythonView, of value: borrowing PythonValue, positions: ClosedRange<Int>?,
        expected: @autoclosure () -> String
    ) throws(PythonError) {
        func refusal() -> PythonError { .conversion(expected: expected(), found: "memory that is not Swift's") }
        guard let storage = SharedStorage.shared(as: value) else { throw refusal() }
        let isWritable = storage.isMutable && !view.isReadOnly
        guard let positions else {
            self.init(storage: storage, byteOffset: 0, count: 0, isWritableByPython: isWritable)
            return
        }
        let size = MemoryLayout<Element>.stride
        let base = unsafe view.base - storage.base
        guard (0...storage.byteCount).contains(base), positions.lowerBound >= -(base / size),
            positions.upperBound < (storage.byteCount - base) / size
        else { throw refusal() }
        self.init(
            storage: storage, byteOffset: base + positions.lowerBound * size, count: positions.count,
            isWritableByPython: isWritable)
    }
}
