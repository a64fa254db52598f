import Glibc
import PythonBridge

/// The bytes of a file, mapped, or of standard input.
struct InputFile {
    /// As it stands in messages.
    let name: String
    let bytes: SharedBuffer<UInt8>

    /// Maps a file; reads standard input for `-`, which is mapped as well when it is a regular file.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/noInput`` when it cannot be read, ``Failure/Code/badData`` when it is empty.
    init(_ path: String) throws(Failure) {
        name = path == "-" ? "standard input" : path
        guard Self.canBeMapped(path) else {
            bytes = SharedBuffer(sharing: try Self.read(path, name: name))
            guard bytes.count > 0 else { throw Failure(.badData, "\(name): the input is empty") }
            return
        }
        do throws(PythonError) {
            bytes = try SharedBuffer(mapping: path == "-" ? "/dev/stdin" : path)
        } catch {
            guard case .file(_, let code) = error else { throw Failure(.unavailable, "\(name): \(error)") }
            // A pipe cannot be mapped.
            guard code == ESPIPE || path == "-" else {
                throw Failure(.noInput, "\(name): \(SystemError.message(code))")
            }
            bytes = SharedBuffer(sharing: try Self.read(path, name: name))
        }
        guard bytes.count > 0 else { throw Failure(.badData, "\(name): the input is empty") }
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

    private static func read(_ path: String, name: String) throws(Failure) -> [UInt8] {
        let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(.noInput, "\(name): \(SystemError.message(errno))") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count > 0 { bytes += chunk[..<count] }
            if count < 0 && errno != EINTR { throw Failure(.noInput, "\(name): \(SystemError.message(errno))") }
        }
    }
}
