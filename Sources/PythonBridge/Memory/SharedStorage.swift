internal import CShim
internal import Glibc
public import Synchronization

/// The one owner of a stretch of memory: it is given back in `deinit`, when neither Swift nor an exporter holds it.
///
/// Immutable but for the bytes it owns. Those are shared on purpose: like a numpy array it may be read from many threads,
/// and a write that races with a read gives an unspecified element but never touches other memory.
@safe
@usableFromInline
package final class SharedStorage: @unchecked Sendable {
    private enum Origin {
        case allocated
        case mapped(length: Int)
        case adopted(any Sendable)
        /// The descriptor stays open: to see whether a named file still has what is mapped, and to hand it on.
        case file(length: Int, descriptor: Int32, path: String?, mapping: SharedMapping)
    }

    /// Where the memory starts; never null, also when it is empty.
    @usableFromInline package let base: UnsafeMutableRawPointer
    @usableFromInline package let byteCount: Int
    /// Whether Swift and Python may write; a read-only mapping would fault, an array's memory is a value.
    @usableFromInline package let isMutable: Bool
    /// Whether the memory is a file's, which another program can shorten.
    @usableFromInline let canShrink: Bool
    private let origin: Origin
    /// Whether the memory has been passed to a call; of attached threads.
    private nonisolated(unsafe) var wasPassed = false
    /// The view for the calls from the second one on, a `cshim_kept_view`; made once, by an attached thread.
    @usableFromInline let keptView = unsafe Atomic<UnsafeMutablePointer<KeptMemory>?>(nil)

    private init(base: UnsafeMutableRawPointer, byteCount: Int, isMutable: Bool, origin: Origin) {
        unsafe self.base = unsafe base
        self.byteCount = byteCount
        self.isMutable = isMutable
        self.origin = origin
        if case .file(_, _, _?, _) = origin { canShrink = true } else { canShrink = false }
    }

    /// Memory of malloc(3), which is freed with this.
    @unsafe convenience init(takingOver memory: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe self.init(base: memory, byteCount: byteCount, isMutable: false, origin: .allocated)
    }

    deinit {
        if let keptMemory = unsafe keptView.load(ordering: .acquiring) {
            let keptView = unsafe UnsafeMutableRawPointer(keptMemory).assumingMemoryBound(to: cshim_kept_view.self)
            let isAlone = unsafe cshim_kept_view_close(keptView)
            unsafe PendingReleases.release(keptView: keptView)
            guard isAlone else { return }
        }
        switch origin {
        case .allocated: unsafe free(base)
        case .mapped(let length): unsafe munmap(base, length)
        case .adopted: break
        case .file(let length, let descriptor, _, let mapping):
            if length > 0 { unsafe munmap(base, length) }
            close(descriptor)
            mapping.end()
        }
    }

    /// A cache line, and the widest vector register.
    static let alignment = 64

    /// From here on zero pages come from the kernel when they are touched, and those that never are cost nothing.
    private static let mappingThreshold = 128 << 10

    /// From here on huge pages may be asked for, as numpy does for its own arrays.
    private static let hugePageThreshold = 4 << 20

    /// A huge page on x86-64, and on arm64 with pages of 4 KiB.
    private static let hugePageSize = 2 << 20

    /// Zeroed memory for `count` elements of `size` bytes, aligned to 64 bytes.
    @usableFromInline
    static func allocate(count: Int, size: Int, hugePages: Bool) throws(PythonError) -> SharedStorage {
        guard count >= 0 else { throw .invalidBuffer("a capacity of \(count) elements is negative") }
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw .outOfMemory(byteCount: .max) }
        guard byteCount >= mappingThreshold else { return try allocate(byteCount: byteCount) }
        if hugePages, byteCount >= hugePageThreshold, let storage = mapHugePages(byteCount: byteCount) {
            return storage
        }
        guard let base = unsafe reserve(byteCount) else { throw .outOfMemory(byteCount: byteCount) }
        return unsafe SharedStorage(
            base: base, byteCount: byteCount, isMutable: true, origin: .mapped(length: byteCount))
    }

    private static func allocate(byteCount: Int) throws(PythonError) -> SharedStorage {
        var base: UnsafeMutableRawPointer?
        guard unsafe posix_memalign(&base, alignment, max(byteCount, 1)) == 0, let base = unsafe base else {
            throw .outOfMemory(byteCount: byteCount)
        }
        unsafe memset(base, 0, byteCount)
        return unsafe SharedStorage(base: base, byteCount: byteCount, isMutable: true, origin: .allocated)
    }

    /// Memory in huge pages from its start on: as many as come nearest, so that of the last one half is wasted at most. Nil where there is
    /// no room to find a start for them.
    private static func mapHugePages(byteCount: Int) -> SharedStorage? {
        guard byteCount <= .max - 2 * hugePageSize else { return nil }
        let wholePages = (byteCount + hugePageSize / 2) / hugePageSize * hugePageSize
        let pageSize = sysconf(Int32(_SC_PAGESIZE))
        let length = (max(byteCount, wholePages) + pageSize - 1) / pageSize * pageSize
        guard let start = unsafe reserve(length + hugePageSize) else { return nil }
        let base = unsafe start.alignedUp(toMultipleOf: hugePageSize)
        if unsafe base > start { unsafe munmap(start, base - start) }
        if unsafe base < start + hugePageSize { unsafe munmap(base + length, start + hugePageSize - base) }
        // A kernel without huge pages refuses: the memory is as it was.
        unsafe madvise(base, wholePages, MADV_HUGEPAGE)
        return unsafe SharedStorage(base: base, byteCount: byteCount, isMutable: true, origin: .mapped(length: length))
    }

    /// Zero pages, which come when they are touched; nil where there are not so many addresses.
    private static func reserve(_ length: Int) -> UnsafeMutableRawPointer? {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let start = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, flags, -1, 0)
        return unsafe start == MAP_FAILED ? nil : start
    }

    /// The memory of an array, which stays as it is while the storage holds it: whoever mutates the array copies it first.
    @usableFromInline
    static func adopt<Element: BufferElement>(_ array: [Element]) -> SharedStorage {
        // An array keeps its elements in one heap object, whose address is stable as long as a copy of the array lives.
        let address = unsafe array.withUnsafeBufferPointer { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
        return unsafe SharedStorage(
            base: address ?? placeholder,
            byteCount: array.count * MemoryLayout<Element>.stride,
            isMutable: false,
            origin: .adopted(array))
    }

    /// A whole file, mapped to be read, or to be written to as well. Nothing is read until it is touched.
    ///
    /// - Throws: `PythonError.file` with the reason when it cannot be opened or mapped, or is no regular file.
    static func map(_ path: String, isWritable: Bool) throws(PythonError) -> SharedStorage {
        let descriptor = unsafe open(path, (isWritable ? O_RDWR : O_RDONLY) | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file(path: path, errno: errno) }
        do throws(PythonError) {
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { throw .file(path: path, errno: errno) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw .file(path: path, errno: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ESPIPE)
            }
            return try map(descriptor, length: Int(status.st_size), isWritable: isWritable, path: path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Zeroed shared memory without a name, whose size nobody can change. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.
    @usableFromInline
    static func allocateAnonymousFile(count: Int, size: Int) throws(PythonError) -> SharedStorage {
        guard count >= 0 else { throw .invalidBuffer("a capacity of \(count) elements is negative") }
        let (length, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw .outOfMemory(byteCount: .max) }
        let descriptor = cshim_sealed_memory(length)
        guard descriptor >= 0 else {
            throw -descriptor == EMFILE || -descriptor == ENFILE
                ? .file(path: "anonymous shared memory", errno: -descriptor) : .outOfMemory(byteCount: length)
        }
        do throws(PythonError) {
            return try map(descriptor, length: length, isWritable: true, path: nil)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Maps a file from its start. Takes over the descriptor, unless it throws.
    private static func map(
        _ descriptor: Int32, length: Int, isWritable: Bool, path: String?
    ) throws(PythonError) -> SharedStorage {
        var base = unsafe placeholder
        if length > 0 {
            let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
            let mapped = unsafe mmap(nil, length, protection, MAP_SHARED, descriptor, 0)
            guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
                throw path.map { .file(path: $0, errno: errno) } ?? .outOfMemory(byteCount: length)
            }
            unsafe base = unsafe mapped
        }
        return unsafe SharedStorage(
            base: base, byteCount: length, isMutable: isWritable,
            origin: .file(length: length, descriptor: descriptor, path: path, mapping: SharedMapping(descriptor)))
    }

    /// Whether a mapped file still has all that was mapped; anything else always has.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when it was shortened: to touch what is lost would end the process.
    @inlinable
    package func checkFile() throws(PythonError) {
        if canShrink { try checkLength() }
    }

    @usableFromInline
    func checkLength() throws(PythonError) {
        guard case .file(let length, let descriptor, let path?, _) = origin else { return }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .file(path: path, errno: errno) }
        guard Int(status.st_size) >= length else {
            throw .invalidBuffer(
                "'\(path)' was shortened from \(length) to \(status.st_size) bytes while it was mapped")
        }
    }

    /// Gives pages of a mapped file back to the system, the page cache's too unless another process has them mapped. What was not
    /// written to the disk yet stays. Source: madvise(2) `MADV_DONTNEED`, posix_fadvise(2) `POSIX_FADV_DONTNEED`.
    func evict(_ bytes: Range<Int>) {
        guard case .file(let length, let descriptor, _?, _) = origin else { return }
        let pageSize = sysconf(Int32(_SC_PAGESIZE))
        let start = bytes.lowerBound / pageSize * pageSize
        let end = min(bytes.upperBound, length)
        guard start < end, unsafe madvise(base + start, end - start, MADV_DONTNEED) == 0 else { return }
        posix_fadvise(descriptor, start, end - start, POSIX_FADV_DONTNEED)
    }

    /// The descriptor of anonymous shared memory; nil for any other memory.
    var sharedMemoryDescriptor: Int32? {
        if case .file(_, let descriptor, nil, _) = origin { descriptor } else { nil }
    }

    /// What another process needs to map the same pages; nil for memory that only this process can have.
    package var mapping: SharedMapping? {
        if case .file(_, _, _, let mapping) = origin { mapping } else { nil }
    }

    /// An aligned address for what has no bytes: CPython refuses a null buffer.
    @usableFromInline static var placeholder: UnsafeMutableRawPointer {
        guard let address = unsafe UnsafeMutableRawPointer(bitPattern: alignment) else {
            preconditionFailure("the alignment is not zero")
        }
        return unsafe address
    }
}

extension SharedStorage {
    /// A new memoryview that holds this storage until its last view is gone.
    ///
    /// The memory has `count` elements of `itemSize` bytes, `stride` bytes apart. The thread is attached.
    @usableFromInline
    func share(
        base: UnsafeMutableRawPointer, count: Int, stride: Int, itemSize: Int, format: UnsafePointer<CChar>,
        isReadOnly: Bool
    ) throws(PythonError) -> PythonValue {
        try checkFile()
        let owner = unsafe Unmanaged.passRetained(self).toOpaque()
        let view = unsafe cshim_share(base, count, stride, itemSize, format, isReadOnly, owner, releaseStorage)
        return unsafe try PythonValue(created: view)
    }

    /// The view that is kept of this memory from call to call, if there is one. Any thread, attached or not.
    @inlinable @inline(__always)
    func keptView(
        base: UnsafeMutableRawPointer, count: Int, stride: Int, format: UnsafePointer<CChar>, isReadOnly: Bool
    ) -> KeptView? {
        guard let kept = unsafe keptView.load(ordering: .acquiring), unsafe kept.pointee.base == base,
            unsafe kept.pointee.count == count && kept.pointee.stride == stride,
            unsafe kept.pointee.format == format && kept.pointee.isReadOnly == isReadOnly
        else { return nil }
        return unsafe KeptView(pointer: OpaquePointer(kept))
    }

    /// The same for one call: from the second one on with the view that is kept, unless another call uses that. An owned reference, or
    /// what the frame of the call takes back. This storage lives until the call is over.
    @usableFromInline
    func shareForCall(
        base: UnsafeMutableRawPointer, count: Int, stride: Int, itemSize: Int, format: UnsafePointer<CChar>,
        isReadOnly: Bool
    ) throws(PythonError) -> (view: OpaquePointer, exporter: OpaquePointer?) {
        // A named file has to be looked at each time.
        if unsafe wasPassed && !canShrink && keptView.load(ordering: .relaxed) == nil {
            let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
            let kept = unsafe cshim_kept_view_new(
                base, count, stride, itemSize, format, isReadOnly, owner, retainStorage, releaseStorage)
            unsafe precondition(KeptMemory.isAsInC, "KeptMemory is the start of a cshim_kept_view")
            let memory = unsafe UnsafeMutableRawPointer(kept)?.assumingMemoryBound(to: KeptMemory.self)
            unsafe keptView.store(memory, ordering: .releasing)
        }
        unsafe wasPassed = true
        if let kept = unsafe keptView(
            base: base, count: count, stride: stride, format: format, isReadOnly: isReadOnly)
        {
            let lent = unsafe cshim_kept_view_use(UnsafeMutablePointer(kept.pointer))
            if let view = unsafe lent.view { return unsafe (view, exporter: lent.exporter) }
            if cshim_exception_occurred() { throw .raised() }
        }
        let view = try unsafe share(
            base: base, count: count, stride: stride, itemSize: itemSize, format: format, isReadOnly: isReadOnly)
        return unsafe (view.take(), exporter: nil)
    }

    /// The same for an array of any number of dimensions, whose layout counts from `byteOffset` on and is within this memory.
    func share<Element: BufferElement>(
        _ layout: ArrayLayout, of type: Element.Type, from byteOffset: Int, isReadOnly: Bool
    ) throws(PythonError) -> PythonValue {
        try checkFile()
        let size = MemoryLayout<Element>.stride
        let first = unsafe base + byteOffset + (layout.count == 0 ? 0 : layout.offset * size)
        let view = unsafe layout.withShapeAndStrides(elementSize: size) { shapeAndStrides in
            unsafe cshim_share_array(
                first, Int32(layout.shape.count), shapeAndStrides, size, Element.formatText, isReadOnly,
                Unmanaged.passRetained(self).toOpaque(), releaseStorage)
        }
        return unsafe try PythonValue(created: view)
    }
}

extension SharedStorage {
    /// The storage behind a memoryview, or behind an array made from one; nil for memory that Swift does not share.
    static func shared(as value: borrowing PythonValue) -> SharedStorage? {
        guard let exporter = unsafe cshim_exporter_behind(value.handle) else { return nil }
        defer { unsafe cshim_exporter_release(exporter) }
        return unsafe cshim_owner(exporter).map {
            unsafe Unmanaged<SharedStorage>.fromOpaque($0).takeUnretainedValue()
        }
    }
}

/// Takes a count on its storage for an exporter.
private let retainStorage: @convention(c) (UnsafeMutableRawPointer) -> Void = { owner in
    _ = unsafe Unmanaged<SharedStorage>.fromOpaque(owner).retain()
}

/// Gives up an exporter's count on its storage.
private let releaseStorage: @convention(c) (UnsafeMutableRawPointer) -> Void = { owner in
    unsafe Unmanaged<SharedStorage>.fromOpaque(owner).release()
}
