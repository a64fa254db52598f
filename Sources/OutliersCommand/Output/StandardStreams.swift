import Glibc

/// Where results go.
enum StandardOutput {
    /// Writes all of `text`.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/cannotWrite``, such as when the disk is full.
    static func write(_ text: String) throws(Failure) {
        try FileDescriptor.write(Array(text.utf8), to: STDOUT_FILENO, name: "standard output")
    }
}

/// Where everything else goes.
enum StandardError {
    /// Writes `text` if it can be written.
    static func write(_ text: String) {
        try? FileDescriptor.write(Array(text.utf8), to: STDERR_FILENO, name: "standard error")
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

enum FileDescriptor {
    /// Writes all of the bytes.
    static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count < 0 && errno != EINTR { throw Failure(.cannotWrite, "\(name): \(SystemError.message(errno))") }
            written += max(count, 0)
        }
    }
}

enum SystemError {
    /// What `errno` means. Source: strerror(3).
    static func message(_ errno: Int32) -> String {
        unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    }
}
