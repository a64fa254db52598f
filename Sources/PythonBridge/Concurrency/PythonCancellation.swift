/// Ends the Python code of calls from outside: one thread runs them, any other one cancels.
///
/// ```swift
/// let cancellation = PythonCancellation()
/// onInterrupt { cancellation.cancel() }
/// let found: Int = try cancellation.run { try detect(samples, indices) }
/// ```
///
/// At its next bytecode the Python code that runs then raises `PythonBridge.Cancelled`, a `BaseException`, and again every 50 milliseconds if it catches
/// that; the call throws ``PythonError/cancelled``, and so does every other that begins within ``run(_:)``. What does not run Python's bytecode, such as a long call
/// of numpy's, a lock that is waited for, or a callback's Swift code, is not interrupted: the exception comes when it returns. Only a process of its own can be stopped at any time.
///
/// Of Python's own `with` and `finally`, which run then, an exception that comes at any bytecode asks what Ctrl-C asks of them. An import
/// by the bridge (``PythonInterpreter/module(_:)``) is not interrupted. A task needs none of this: ``PythonExecutor/run(deadline:_:)`` ends
/// with its task.
public final class PythonCancellation: Sendable {
    private struct State {
        var isCancelled = false
        /// Those of the closures that run.
        var interruptions: [Interruption] = []
    }

    private let state = Lock(State())

    /// A cancellation that has not come yet.
    public init() {}

    /// Cancels what runs, and what will. Any thread, at any time; it does not wait.
    public func cancel() {
        let interruptions = state.withLock { state in
            state.isCancelled = true
            return state.interruptions
        }
        for interruption in interruptions { interruption.cancel() }
    }

    /// Whether it was cancelled.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Runs a closure whose Python calls on this thread can be cancelled.
    ///
    /// - Throws: What the closure throws.
    public func run<R, E>(_ body: () throws(E) -> R) throws(E) -> R {
        let interruption = Interruption()
        let isCancelled = state.withLock { state in
            state.interruptions.append(interruption)
            return state.isCancelled
        }
        defer { state.withLock { $0.interruptions.removeAll { $0 === interruption } } }
        if isCancelled { interruption.cancel() }
        return try interruption.scope(body)
    }
}

extension PythonInterpreter {
    /// Runs a closure whose Python calls on this thread end when an instant has come.
    ///
    /// ```swift
    /// let found: Int = try python.withDeadline(.now + .seconds(2)) { try detect(samples, indices) }
    /// ```
    ///
    /// The Python code that runs then is ended as a ``PythonCancellation`` ends it, by `PythonBridge.DeadlineExceeded`; its call throws
    /// ``PythonError/deadlineExceeded``, and so does every other that begins after that instant within the closure.
    ///
    /// - Throws: What the closure throws.
    public func withDeadline<R, E>(_ deadline: ContinuousClock.Instant, _ body: () throws(E) -> R) throws(E) -> R {
        try Interruption(deadline: deadline).scope(body)
    }
}
