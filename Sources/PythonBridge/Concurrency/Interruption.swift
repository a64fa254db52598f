internal import CShim
internal import Synchronization

/// What may end a stretch of calls on one thread before its time: a deadline, or a cancellation.
///
/// While its scope is open, the watcher raises an exception in the Python code that a call on the scope's thread runs, and again
/// after a ``pause`` for as long as that code catches it; calls that begin raise it at once. What the bridge itself does in Python,
/// imports and tracebacks, is left alone. A call takes back what was not raised before it ended, so that it hits nobody else's.
final class Interruption: Sendable {
    @safe
    private struct State: ~Copyable {
        /// The thread whose scope is open.
        var thread: OpaquePointer?
        var isCancelled = false

        func kind(_ deadline: ContinuousClock.Instant?) -> cshim_interruption {
            if isCancelled { return .CSHIM_CANCELLED }
            if let deadline, deadline <= .now { return .CSHIM_DEADLINE_EXCEEDED }
            return .CSHIM_NO_INTERRUPTION
        }
    }

    private let deadline: ContinuousClock.Instant?
    private let state = Mutex(State())

    /// How long Python code may ignore an interruption before it comes again.
    static let pause = Duration.milliseconds(50)

    init(deadline: ContinuousClock.Instant? = nil) { self.deadline = deadline }

    /// Cancels, now or as soon as the scope opens. Any thread; it does not wait.
    func cancel() {
        let isOpen = state.withLock { state in
            state.isCancelled = true
            return unsafe state.thread != nil
        }
        if isOpen { InterruptionWatcher.shared.raise(self, at: .now) }
    }

    /// Runs a closure whose Python calls on this thread can be interrupted.
    ///
    /// - Throws: What the closure throws.
    func scope<R, E>(_ body: () throws(E) -> R) throws(E) -> R {
        let outer = cshim_set_interruption(open())
        if let deadline { InterruptionWatcher.shared.raise(self, at: deadline) }
        defer {
            close()
            cshim_set_interruption(outer)
            if deadline != nil { InterruptionWatcher.shared.forget(self) }
        }
        return try body()
    }

    /// Why nothing of the scope should run any more; nil when it may.
    var reason: PythonError? {
        switch state.withLock({ $0.kind(deadline) }) {
        case .CSHIM_NO_INTERRUPTION: nil
        case .CSHIM_CANCELLED: .cancelled
        case .CSHIM_DEADLINE_EXCEEDED: .deadlineExceeded
        }
    }

    private func open() -> cshim_interruption {
        state.withLock { state in
            unsafe state.thread = cshim_this_thread()
            return state.kind(deadline)
        }
    }

    /// The watcher raises under the lock: from here on it raises nothing.
    private func close() { state.withLock { state in unsafe state.thread = nil } }

    /// Raises if the scope is still open, on the watcher's thread, which is attached. Returns whether to come again.
    func raise() -> Bool {
        state.withLock { state in
            let kind = state.kind(deadline)
            guard let thread = unsafe state.thread, kind != .CSHIM_NO_INTERRUPTION else { return false }
            unsafe cshim_interrupt(thread, kind)
            return true
        }
    }
}
