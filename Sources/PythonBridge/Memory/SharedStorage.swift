internal import CShim
internal import Glibc

/// The one owner of a stretch of memory: it is given back in `deinit`, when neither Swift nor an exporter holds it.
///
/// Immutable but for the bytes it owns. Those are shared on purpose: like a numpy array it may be read from many threads,
/// and a write that races with a read gives an unspecified element but never touches other memory.
@safe
@usableFromInline
final class SharedStorage: @unchecked Sendable {
    private enum Origin {
        case allocated
        case mapped(length: Int)
        case adopted(any Sendable)
    }

    /// Where the memory starts; never null, also when it is empty.
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let byteCount: Int
    /// Whether Swift and Python may write; a read-only mapping would fault, an array's memory is a value.
    @usableFromInline let isMutable: Bool
    private let origin: Origin

    private init(base: UnsafeMutableRawPointer, byteCount: Int, isMutable: Bool, origin: Origin) {
        unsafe self.base = unsafe base
        self.byteCount = byteCount
        self.isMutable = isMutable
        self.origin = origin
    }

    deinit {
        switch origin {
        case .allocated: unsafe free(base)
        case .mapped(let length): unsafe munmap(base, length)
        case .adopted: break
        }
    }

    /// A cache line, and the widest vector register.
    static let alignment = 64

    /// From here on zero pages come from the kernel when they are touched, and those that never are cost nothing.
    private static let mappingThreshold = 128 << 10

    /// Zeroed memory for `count` elements of `size` bytes, aligned to 64 bytes.
    @usableFromInline
    static func allocate(count: Int, size: Int) throws(PythonError) -> SharedStorage {
        guard count >= 0 else { throw .invalidBuffer("a capacity of \(count) elements is negative") }
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw .outOfMemory(byteCount: .max) }
        return try allocate(byteCount: byteCount)
    }

    private static func allocate(byteCount: Int) throws(PythonError) -> SharedStorage {
        if byteCount >= mappingThreshold {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
            let base = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
            guard let base = unsafe base, unsafe base != MAP_FAILED else { throw .outOfMemory(byteCount: byteCount) }
            return unsafe SharedStorage(
                base: base, byteCount: byteCount, isMutable: true, origin: .mapped(length: byteCount))
        }
        var base: UnsafeMutableRawPointer?
        guard unsafe posix_memalign(&base, alignment, max(byteCount, 1)) == 0, let base = unsafe base else {
            throw .outOfMemory(byteCount: byteCount)
        }
        unsafe memset(base, 0, byteCount)
        return unsafe SharedStorage(base: base, byteCount: byteCount, isMutable: true, origin: .allocated)
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

    /// A whole file, mapped to be read. Nothing is read until it is touched.
    ///
    /// - Throws: `PythonError.file` with the reason when it cannot be opened or mapped, or is no regular file.
    static func map(_ path: String) throws(PythonError) -> SharedStorage {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file(path: path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .file(path: path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .file(path: path, errno: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ESPIPE)
        }
        let length = Int(status.st_size)
        guard length > 0 else {
            return unsafe SharedStorage(base: placeholder, byteCount: 0, isMutable: false, origin: .adopted(0))
        }
        let base = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else { throw .file(path: path, errno: errno) }
        return unsafe SharedStorage(base: base, byteCount: length, isMutable: false, origin: .mapped(length: length))
    }

    /// An aligned address for what has no bytes: CPython refuses a null buffer.
    @usableFromInline static var placeholder: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: alignment).unsafelyUnwrapped
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
        let owner = unsafe Unmanaged.passRetained(self).toOpaque()
        let view = unsafe cshim_share(base, count, stride, itemSize, format, isReadOnly, owner) { owner in
            unsafe Unmanaged<SharedStorage>.fromOpaque(owner).release()
        }
        return unsafe try PythonValue(created: view)
    }
}
