import Glibc
import PythonBridge

/// Bytes that come one after the other, to be used as a whole: up to 16 MiB in memory, more in a temporary file, which is then
/// mapped.
///
/// The file has no name, so that nothing of it is left, however the program ends. It is in `TMPDIR`, otherwise in `/var/tmp`: `/tmp` is in memory on many
/// systems. Source: open(2) `O_TMPFILE`.
struct Spool: ~Copyable {
    private static let memoryLimit = 16 << 20
    /// What is written to the file at a time.
    private static let pieceSize = 1 << 20
    /// `O_TMPFILE`, a macro that Swift does not see.
    private static let unnamed = O_DIRECTORY | 0o20_000_000

    private let name: String
    private let directory: String
    /// What is not in the file.
    private var bytes: [UInt8] = []
    private var descriptor: Int32 = -1
    private(set) var count = 0

    /// - Parameter name: Of what is kept in it, as it stands in messages.
    init(_ name: String) {
        self.name = name
        let chosen = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? ""
        directory = chosen.isEmpty ? "/var/tmp" : chosen
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// - Throws: ``Failure`` with ``Failure/Code/cannotWrite`` when there can be no file, or it has no room.
    mutating func append(_ more: some Sequence<UInt8>) throws(Failure) {
        let before = bytes.count
        // Room that is not touched is no memory; to grow by and by would take twice as much as there is.
        if count == 0 { bytes.reserveCapacity(Self.memoryLimit + Self.pieceSize) }
        bytes.append(contentsOf: more)
        count += bytes.count - before
        if bytes.count > (descriptor < 0 ? Self.memoryLimit : Self.pieceSize) { try flush() }
    }

    /// All of the bytes.
    ///
    /// - Throws: ``Failure`` as ``append(_:)``.
    consuming func finish() throws(Failure) -> SharedBuffer<UInt8> {
        guard descriptor >= 0 else { return SharedBuffer(sharing: bytes) }
        try flush()
        do throws(PythonError) {
            return try SharedBuffer(mapping: "/proc/self/fd/\(descriptor)")
        } catch {
            throw failure("cannot be mapped", error.systemError ?? EIO)
        }
    }

    private mutating func flush() throws(Failure) {
        let isFirst = descriptor < 0
        if isFirst {
            descriptor = open()
            guard descriptor >= 0 else { throw failure("cannot be made", errno) }
        }
        do throws(SystemFailure) {
            try FileDescriptor.write(bytes, to: descriptor)
        } catch {
            throw failure("cannot be written", error.errno)
        }
        bytes.removeAll(keepingCapacity: !isFirst)
    }

    private func open() -> Int32 {
        let descriptor = unsafe Glibc.open(directory, Self.unnamed | O_RDWR | O_EXCL | O_CLOEXEC, 0o600)
        // Some file systems have no files without a name.
        return descriptor >= 0 || ![EOPNOTSUPP, EISDIR].contains(errno) ? descriptor : openNamed()
    }

    private func openNamed() -> Int32 {
        OutputFile.undisturbed {
            let path = "\(directory)/.outliers-" + String(UInt64.random(in: 0 ... .max), radix: 36)
            let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            if descriptor >= 0 { unsafe unlink(path) }
            return descriptor
        }
    }

    private func failure(_ problem: String, _ code: Int32) -> Failure {
        Failure(
            .cannotWrite,
            "\(name): its temporary file in '\(directory)' \(problem): \(SystemError.message(code)); "
                + "set TMPDIR to a directory on a disk with room for it")
    }
}

extension PythonError {
    /// The number of the system's error, where it is about a file.
    var systemError: Int32? {
        if case .file(_, let code) = self { return code }
        return nil
    }
}

/// Doubles that come one after the other, in a ``Spool``.
struct SampleSpool: ~Copyable {
    private var spool: Spool
    private var samples: [Double] = []
    private(set) var count = 0

    init(_ name: String) {
        spool = Spool(name)
    }

    /// - Throws: ``Failure`` as ``Spool/append(_:)``.
    mutating func append(_ sample: Double) throws(Failure) {
        samples.append(sample)
        count += 1
        if samples.count == 8192 { try flush() }
    }

    /// - Throws: ``Failure`` as ``Spool/finish()``.
    consuming func finish() throws(Failure) -> StridedView<Double> {
        try flush()
        let bytes = try spool.finish()
        do throws(PythonError) {
            return StridedView(try SharedBuffer(reinterpreting: bytes))
        } catch {
            throw Failure(error, input: "the samples")
        }
    }

    private mutating func flush() throws(Failure) {
        let bytes = unsafe samples.withUnsafeBytes { unsafe Array($0) }
        try spool.append(bytes)
        samples.removeAll(keepingCapacity: true)
    }
}
