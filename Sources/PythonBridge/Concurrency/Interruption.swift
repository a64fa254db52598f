internal import CShim

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
        /// The one whose scope this one's is in.
        var outer: Interruption?
        var isCancelled = false

        func kind(_ deadline: ContinuousClock.Instant?) -> cshim_interruption {
            if isCancelled { return .CSHIM_CANCELLED }
            if let deadline, deadline <= .now { return .CSHIM_DEADLINE_EXCEEDED }
            return .CSHIM_NO_INTERRUPTION
        }
    }

    private let deadline: ContinuousClock.Instant?
    private let state = Lock(State())

    /// How long Python code may ignore an interruption before it comes again.
    static let pause = Duration.milliseconds(50)

    init(deadline: ContinuousClock.Instant? = nil) { self.deadline = deadline }

    /// Cancels, now or as soon as the scope opens. Any thread; it does not wait.
    func cancel() {
        let isOpen = state.withLock { state in
            defer { state.isCancelled = true }
            return unsafe !state.isCancelled && state.thread != nil
        }
        if isOpen { InterruptionWatcher.shared.raise(self, at: .now) }
    }

    /// Runs a closure whose Python calls on this thread can be interrupted.
    ///
    /// - Throws: What the closure throws.
    func scope<R, E>(_ body: () throws(E) -> R) throws(E) -> R {
        open()
        if let deadline { InterruptionWatcher.shared.raise(self, at: deadline) }
        defer {
            close()
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

    /// An interruption of an outer scope stays.
    private func open() {
        let outer = unsafe cshim_set_scope(Unmanaged.passUnretained(self).toOpaque())
        state.withLock { state in
            unsafe state.thread = cshim_this_thread()
            state.outer = unsafe outer.map { unsafe Unmanaged.fromOpaque($0).takeUnretainedValue() }
            setAgain(state)
        }
    }

    /// The watcher raises under the lock: from here on it raises nothing.
    private func close() {
        var outer = state.withLock { state in
            defer { state.outer = nil }
            unsafe state.thread = nil
            return state.outer
        }
        _ = unsafe cshim_set_scope(outer.map { unsafe Unmanaged.passUnretained($0).toOpaque() })
        // What an outer scope had, or the watcher set meanwhile, that scope sets again.
        cshim_set_interruption(.CSHIM_NO_INTERRUPTION)
        while let scope = outer {
            outer = scope.state.withLock { state in
                scope.setAgain(state)
                return state.outer
            }
        }
    }

    /// Has what begins on this thread from here on interrupted, if it is to be. Under the lock.
    private func setAgain(_ state: borrowing State) {
        let kind = state.kind(deadline)
        if kind != .CSHIM_NO_INTERRUPTION { cshim_set_interruption(kind) }
    }

    /// Whether the scope is open.
    var isOpen: Bool { state.withLock { unsafe $0.thread != nil } }

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
