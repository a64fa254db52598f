/// Threads for Python calls, so that a task that awaits one does not block a thread of Swift's own pool.
///
/// ```swift
/// let executor = try PythonExecutor(threads: 2, capacity: 16)
/// let found: Int = try await executor.run { try detect(samples, indices) }
/// ```
///
/// No more than `capacity` calls of ``run(deadline:_:)`` are under way or wait in the queue; further ones suspend their tasks until
/// there is room, in their order. As a `TaskExecutor` it runs whole tasks on its threads
/// (`Task(executorPreference:)`, `withTaskExecutorPreference`); these are not counted, nor interrupted.
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
    /// When the task is cancelled, or the deadline passes, a call that still waits is given up at once, and the Python code that is
    /// running is interrupted at its next bytecode, as ``PythonCancellation`` describes.
    ///
    /// - Throws: What the closure throws; ``PythonError/cancelled``; ``PythonError/deadlineExceeded``.
    public func run<Value: Sendable>(
        deadline: ContinuousClock.Instant? = nil, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let interruption = Interruption(deadline: deadline)
        let patience = Patience()
        let timer = deadline.map { deadline in
            Task {
                while deadline > .now {
                    try await Task.sleep(for: min(deadline - .now, Duration.seconds(86_400)), clock: .continuous)
                }
                patience.end()
            }
        }
        defer { timer?.cancel() }
        return try await withTaskCancellationHandler {
            guard await admission.enter(patience) else { throw interruption.reason ?? .cancelled }
            return try await withCheckedThrowingContinuation { continuation in
                let waiting = Waiting(continuation)
                patience.end { waiting.take()?.resume(throwing: interruption.reason ?? .cancelled) }
                threads.add { [admission] in
                    let continuation = waiting.take()
                    let result = continuation.map { _ in Result { try interruption.scope(body) } }
                    admission.leave()
                    if let continuation, let result { continuation.resume(with: result) }
                }
            }
        } onCancel: {
            interruption.cancel()
            patience.end()
        }
    }
}

/// Whether somebody still waits, and what is to be done when no longer.
private final class Patience: Sendable {
    private struct State {
        var hasEnded = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Lock(State())

    /// Ends the waiting, for whatever it is.
    func end() {
        let action = state.withLock { state in
            state.hasEnded = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }

    /// What ends the waiting from here on.
    func end(by action: @escaping @Sendable () -> Void) {
        let hasEnded = state.withLock { state in
            state.action = action
            return state.hasEnded
        }
        if hasEnded { end() }
    }
}

/// A continuation that two may want to resume. The first one has it.
private final class Waiting<Value: Sendable, Failure: Error>: Sendable {
    private let continuation: Lock<CheckedContinuation<Value, Failure>?>

    init(_ continuation: CheckedContinuation<Value, Failure>) { self.continuation = Lock(continuation) }

    func take() -> CheckedContinuation<Value, Failure>? {
        continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
    }
}

/// Lets a number of tasks in, and has the others wait in their order.
private final class Admission: Sendable {
    private struct State {
        var room: Int
        /// Who waits, the first one first.
        var queue: [Waiting<Bool, Never>] = []

        mutating func enter() -> Bool {
            guard room > 0 else { return false }
            room -= 1
            return true
        }
    }

    private let state: Lock<State>

    init(capacity: Int) { state = Lock(State(room: capacity)) }

    /// Returns whether there was room before the patience ended.
    func enter(_ patience: Patience) async -> Bool {
        if state.withLock({ $0.enter() }) { return true }
        return await withCheckedContinuation { continuation in
            let waiting = Waiting(continuation)
            let hasEntered = state.withLock { state in
                if state.enter() { return true }
                state.queue.append(waiting)
                return false
            }
            if hasEntered {
                waiting.take()?.resume(returning: true)
            } else {
                patience.end { [self] in
                    state.withLock { $0.queue.removeAll { $0 === waiting } }
                    waiting.take()?.resume(returning: false)
                }
            }
        }
    }

    func leave() {
        while true {
            let next = state.withLock { state -> Waiting<Bool, Never>? in
                if state.queue.isEmpty {
                    state.room += 1
                    return nil
                }
                return state.queue.removeFirst()
            }
            guard let next else { return }
            if let continuation = next.take() { return continuation.resume(returning: true) }
        }
    }
}
