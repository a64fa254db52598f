internal import Synchronization

/// Threads for Python calls, so that a task that awaits one does not block a thread of Swift's own pool.
///
/// ```swift
/// let executor = try PythonExecutor(threads: 2, capacity: 16)
/// let found: Int = try await executor.run { try detect(samples, indices) }
/// ```
///
/// No more than `capacity` calls of ``run(deadline:_:)`` are under way or wait in the queue; further ones suspend their tasks until
/// there is room, in their order. As a `TaskExecutor` it runs whole tasks on its threads
/// (`Task(executorPreference:)`, `withTaskExecutorPreference`); these are not counted.
///
/// The threads end when the executor is given up and its work is done. The GIL is held by calls only, never across a suspension.
public final class PythonExecutor: TaskExecutor, Sendable {
    private let threads: WorkerThreads
    private let admission: Admission

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - threads: How many. More than one helps where Python lets go of the GIL, as numpy does in its loops.
    ///   - capacity: How many calls are under way or wait at a time.
    /// - Throws: ``PythonError/interpreter(_:)`` when the system has no thread left.
    /// - Precondition: Both are at least 1.
    public init(threads: Int = 1, capacity: Int = 64) throws(PythonError) {
        precondition(threads >= 1 && capacity >= 1, "PythonExecutor needs a thread and room for a call")
        self.threads = try WorkerThreads(count: threads)
        admission = Admission(capacity: capacity)
    }

    /// Enqueues a job of the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        threads.add { [unowned self] in unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Runs a closure that calls Python on one of the threads.
    ///
    /// When the task is cancelled, or the deadline passes, a call that waits is not begun, and the Python code that is running is
    /// interrupted at its next bytecode, as ``PythonInterpreter/withDeadline(_:_:)`` describes.
    ///
    /// - Throws: What the closure throws; ``PythonError/cancelled``; ``PythonError/deadlineExceeded``.
    public func run<Result: Sendable>(
        deadline: ContinuousClock.Instant? = nil, _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await admission.enter()
        let interruption = Interruption(deadline: deadline)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Swift.Result<Result, any Error>, Never>) in
                threads.add { [admission] in
                    let result = Swift.Result {
                        if let reason = interruption.reason { throw reason }
                        return try interruption.scope(body)
                    }
                    admission.leave()
                    continuation.resume(returning: result)
                }
            }
        } onCancel: {
            interruption.cancel()
        }
        return try result.get()
    }
}

/// Lets a number of tasks in, and has the others wait in their order.
private final class Admission: Sendable {
    private struct State {
        var room: Int
        var nextTicket = 0
        /// By ticket: who waits. The tickets of those that no longer do are gone.
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
        var order: [Int] = []
    }

    private let state: Mutex<State>

    init(capacity: Int) { state = Mutex(State(room: capacity)) }

    /// - Throws: ``PythonError/cancelled`` when the task is cancelled before there is room.
    func enter() async throws(PythonError) {
        if Task.isCancelled { throw .cancelled }
        let ticket: Int? = state.withLock { state in
            if state.room > 0 {
                state.room -= 1
                return nil
            }
            defer { state.nextTicket += 1 }
            return state.nextTicket
        }
        guard let ticket else { return }
        let isAdmitted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in wait(ticket, continuation) }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume(returning: false)
        }
        guard isAdmitted else { throw .cancelled }
    }

    private func wait(_ ticket: Int, _ continuation: CheckedContinuation<Bool, Never>) {
        let isAdmitted: Bool? = state.withLock { state in
            if Task.isCancelled { return false }
            if state.room > 0 {
                state.room -= 1
                return true
            }
            state.waiting[ticket] = continuation
            state.order.append(ticket)
            return nil
        }
        if let isAdmitted { continuation.resume(returning: isAdmitted) }
    }

    func leave() {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            while let ticket = state.order.first {
                state.order.removeFirst()
                if let continuation = state.waiting.removeValue(forKey: ticket) { return continuation }
            }
            state.room += 1
            return nil
        }
        next?.resume(returning: true)
    }
}
