import Glibc

/// Where results go.
enum StandardOutput {
    /// Writes all of `text`, in one piece where the system takes it so; nothing when a signal has come.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/cannotWrite``, such as when the disk is full.
    static func write(_ text: String) throws(Failure) { try write(Printout(text)) }

    /// Writes all of the text, in pieces of a megabyte; nothing when a signal has come.
    ///
    /// - Throws: ``Failure`` as for a plain text.
    static func write(_ text: Printout) throws(Failure) {
        Interrupt.check()
        try text.write { piece throws(Failure) in
            try FileDescriptor.write(piece, to: STDOUT_FILENO, name: "standard output")
        }
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

/// The number of a system's error.
struct SystemFailure: Error {
    let errno: Int32
}

enum FileDescriptor {
    /// Writes all of the bytes.
    static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemFailure) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count < 0 && errno != EINTR { throw SystemFailure(errno: errno) }
            written += max(count, 0)
        }
    }

    /// Writes all of the bytes.
    static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws(Failure) {
        do throws(SystemFailure) {
            try write(bytes, to: descriptor)
        } catch {
            throw Failure(.cannotWrite, "\(name): \(SystemError.message(error.errno))")
        }
    }
}

enum SystemError {
    /// What `errno` means. Source: strerror(3).
    static func message(_ errno: Int32) -> String {
        unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    }
}
