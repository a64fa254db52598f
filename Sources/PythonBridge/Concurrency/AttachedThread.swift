/// Says that this thread is attached: what ``PythonInterpreter/attached(_:)`` gives to its closure.
///
/// It cannot leave the closure, nor the thread. A function that takes one can only be called where the thread is attached:
/// `func update(_ row: Row, on thread: borrowing AttachedThread)`.
public struct AttachedThread: ~Copyable, ~Escapable {
    @usableFromInline
    @_lifetime(immortal)
    init() {}
}

extension PythonInterpreter {
    /// Keeps this thread attached while a closure runs, so that many calls take the GIL once.
    ///
    /// ```swift
    /// try python.attached { thread in
    ///     for row in rows { try update(row) }
    /// }
    /// ```
    ///
    /// No other thread runs Python meanwhile, but where Python itself lets go of the GIL; so it is for calls that follow one another
    /// closely, and not for waiting. The closure cannot suspend. When Python is not running it runs all the same, and its calls throw
    /// ``PythonError/notRunning``.
    ///
    /// - Throws: What the closure throws.
    @inlinable
    public func attached<R: ~Copyable, E>(_ body: (borrowing AttachedThread) throws(E) -> R) throws(E) -> R {
        let attachment = try? Attachment()
        defer { extendLifetime(attachment) }
        return try body(AttachedThread())
    }
}
