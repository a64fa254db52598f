internal import Glibc

/// The few questions to the file system that finding an environment takes.
package enum FileSystem {
    package static func isExecutable(_ path: String) -> Bool {
        unsafe access(path, X_OK) == 0 && !isDirectory(path)
    }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func isReadable(_ path: String) -> Bool {
        unsafe access(path, R_OK) == 0
    }

    package static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    /// The lines of a small text file, or nil when it cannot be read.
    package static func lines(of path: String) -> [Substring]? {
        guard let file = unsafe fopen(path, "re") else { return nil }
        defer { unsafe fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let read = unsafe fread(&chunk, 1, chunk.count, file)
            if read == 0 { break }
            text += chunk[..<read]
        }
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
    }

    /// The path with every symbolic link and `..` resolved, or nil when there is no such file. Source: realpath(3).
    package static func resolved(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// The path from the root. Links stay: a virtual environment's python is a link, and must be named as such.
    package static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : currentDirectory + "/" + path
    }

    package static var currentDirectory: String {
        guard let path = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// The absolute path of a program: what a shell would run for `name`.
    ///
    /// - Throws: ``PythonError/environment(_:)`` when there is none.
    package static func program(_ name: String) throws(PythonError) -> String {
        if name.contains("/") {
            guard isExecutable(name) else { throw .environment("'\(name)' is no program that can be run") }
            return absolute(name)
        }
        let path = environmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for directory in path.split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = "\(directory.isEmpty ? "." : directory)/\(name)"
            if isExecutable(candidate) { return absolute(candidate) }
        }
        throw .environment("'\(name)' is not found in PATH")
    }

    /// The directory that holds a file or directory.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    package static func environmentVariable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
