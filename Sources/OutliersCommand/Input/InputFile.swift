import Glibc
import PythonBridge

/// The bytes of a file, mapped, or of standard input.
struct InputFile {
    /// As it stands in messages.
    let name: String
    let bytes: SharedBuffer<UInt8>

    /// Maps a file; reads standard input for `-`, which is mapped as well when it is a regular file. What cannot be mapped is kept in
    /// a ``Spool``.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/noInput`` when it cannot be read, ``Failure/Code/badData`` when it is empty; as
    ///   ``Spool`` does.
    init(_ path: String) throws(Failure) {
        name = path == "-" ? "standard input" : path
        if let mapped = try Self.mapped(path, name: name) {
            bytes = mapped
        } else {
            bytes = try Self.read(path, name: name)
        }
        guard bytes.count > 0 else { throw Failure(.badData, "\(name): the input is empty") }
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The whole file; nil where it cannot be mapped, as a pipe cannot.
    private static func mapped(_ path: String, name: String) throws(Failure) -> SharedBuffer<UInt8>? {
        guard canBeMapped(path) else { return nil }
        do throws(PythonError) {
            return try SharedBuffer(mapping: path == "-" ? "/dev/stdin" : path)
        } catch {
            guard let code = error.systemError else { throw Failure(.unavailable, "\(name): \(error)") }
            if code == ESPIPE || path == "-" { return nil }
            throw Failure(.noInput, "\(name): \(SystemError.message(code))")
        }
    }

    /// Whether it is no pipe, which a second opening would cut off from its writer, and no standard input that has been read in
    /// part, which goes on from there.
    private static func canBeMapped(_ path: String) -> Bool {
        var status = stat()
        guard path == "-" else {
            return unsafe stat(path, &status) != 0 || ![S_IFIFO, S_IFCHR, S_IFSOCK].contains(status.st_mode & S_IFMT)
        }
        return lseek(STDIN_FILENO, 0, SEEK_CUR) == 0
    }

    private static func read(_ path: String, name: String) throws(Failure) -> SharedBuffer<UInt8> {
        let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(.noInput, "\(name): \(SystemError.message(errno))") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        let progress = Progress("reading \(name)", total: nil, unitSize: 1)
        var spool = Spool(name)
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return try spool.finish() }
            if count < 0 && errno != EINTR { throw Failure(.noInput, "\(name): \(SystemError.message(errno))") }
            if count > 0 { try spool.append(chunk[..<count]) }
            progress.update(spool.count)
        }
    }
}

/// How far a reader of a file's text is, over one pass or several.
struct Reading {
    private let progress: Progress
    private let trail: Trail
    private let size: Int
    private var passes = 0

    init(_ file: InputFile, passes: Int = 1) {
        size = file.bytes.count
        progress = Progress("reading \(file.name)", total: passes * size, unitSize: 1)
        trail = Trail(file.bytes)
    }

    /// - Parameter position: In the file.
    func update(_ position: Int) {
        progress.update(passes * size + position)
        trail.update(position)
    }

    mutating func nextPass() { passes += 1 }
}
