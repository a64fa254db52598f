import Glibc
import Synchronization

/// A file that is written whole or not at all: under another name in the same directory, until ``commit()``.
///
/// What is no regular file, a device or a pipe, is written where it is, and so is what `/proc` and `/dev/fd` name.
final class OutputFile: Sendable {
    /// As it stands in messages.
    let name: String
    /// Where to write to.
    let path: String
    /// What the file is renamed to; nil when it is written where it is.
    private let target: String?

    /// The files that have no name of their own yet, of the whole process.
    private static let unfinished = Mutex<Set<String>>([])

    /// Makes the file beside its target, with the mode that the target has if it is there.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/cannotWrite``.
    init(_ name: String) throws(Failure) {
        self.name = name
        guard let target = Self.regularFile(name) else {
            (path, target) = (name, nil)
            return
        }
        self.target = target
        var status = stat()
        let exists = unsafe stat(target, &status) == 0
        if exists, unsafe access(target, W_OK) != 0 { throw Self.failure(name) }
        let path =
            Self.directory(of: target) + ".outliers-" + String(UInt64.random(in: 0 ... .max), radix: 36)
            + target.suffix(from: target.lastIndex(of: ".") ?? target.endIndex)
        self.path = path
        let descriptor = Self.unfinished.withLock { paths in
            let descriptor = unsafe open(
                path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? status.st_mode & 0o666 : 0o666)
            if descriptor >= 0 { paths.insert(path) }
            return descriptor
        }
        guard descriptor >= 0 else { throw Self.failure(name) }
        if exists {
            // The owner first: to change it takes away some bits of the mode. It stays another one where it may not be changed.
            _ = fchown(descriptor, status.st_uid, status.st_gid)
            fchmod(descriptor, status.st_mode & 0o7777)
        }
        close(descriptor)
    }

    deinit {
        Self.unfinished.withLock { paths in
            if paths.remove(path) != nil { unsafe unlink(path) }
        }
    }

    /// Gives the file its name, in the place of the file that had it.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/cannotWrite``.
    func commit() throws(Failure) {
        guard let target else { return }
        let isRenamed = Self.unfinished.withLock { paths in
            guard unsafe rename(path, target) == 0 else { return false }
            paths.remove(path)
            return true
        }
        guard isRenamed else { throw Self.failure(name) }
    }

    /// Removes the files that are not finished, and has no further one made or renamed while `end` ends the process.
    static func removeAll(_ end: () -> Never) -> Never {
        unfinished.withLock { paths in
            for path in paths { unsafe unlink(path) }
            end()
        }
    }

    /// Calls `body` while no signal ends the process.
    static func undisturbed<R>(_ body: () -> sending R) -> sending R { unfinished.withLock { _ in body() } }

    // MARK: - Paths

    /// The regular file that a name means, which need not be there, behind symbolic links; nil when it is something else.
    private static func regularFile(_ name: String) -> String? {
        var path = name
        for _ in 0..<40 {
            if path.hasPrefix("/proc/") || path.hasPrefix("/dev/fd/") { return nil }
            var status = stat()
            if unsafe lstat(path, &status) != 0 { return path }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return path
            case S_IFLNK: path = linked(path)
            default: return nil
            }
        }
        return path
    }

    private static func linked(_ path: String) -> String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &bytes, bytes.count)
        let target = String(decoding: bytes.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return target.hasPrefix("/") ? target : directory(of: path) + target
    }

    /// With its slash; empty for a name in the working directory.
    private static func directory(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)])
    }

    private static func failure(_ name: String) -> Failure {
        Failure(.cannotWrite, "\(name): \(SystemError.message(errno))")
    }
}
