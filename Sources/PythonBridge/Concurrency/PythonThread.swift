/// One OS thread for Python calls, on which an actor can live.
///
/// ```swift
/// actor Model {
///     private let thread: PythonThread
///     init() throws { thread = try PythonThread() }
///     nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }
/// }
/// ```
///
/// Everything that the actor does, calls of Python among it, happens on the thread, one thing after the other: for packages that
/// want to be used from one thread only. As a `TaskExecutor` it runs whole tasks. The thread ends when the value is given up.
public final class PythonThread: SerialExecutor, TaskExecutor, Sendable {
    private let thread: WorkerThreads

    /// Starts the thread.
    ///
    /// - Throws: ``PythonError/interpreter(_:)`` when the system has no thread left.
    public init() throws(PythonError) { thread = try WorkerThreads(count: 1) }

    /// Enqueues a job of the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        thread.add { [unowned self] in
            unsafe job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
        }
    }

    /// Whether the caller is on the thread.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent }

    /// Nothing on the thread; a trap anywhere else, for `assumeIsolated`.
    public func checkIsolated() { precondition(thread.isCurrent, "this is not the actor's PythonThread") }
}
