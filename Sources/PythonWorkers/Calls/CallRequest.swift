internal import PythonBridge

/// A call that is ready to be sent, and what is asked for while it runs.
final class CallRequest: Sendable {
    private struct State {
        var isCancelled = false
        var process: WorkerProcess?
        var errors: [any Error] = []
        var callbacks: [UInt64: PythonCallback]
        var kept: [PassedMemory] = []
    }

    let packet: [UInt8]
    let memory: [PassedMemory]
    let deadline: Deadline
    /// How often it may be repeated when a worker ended.
    let retries: Int
    private let state: Lock<State>

    init(
        packet: [UInt8], memory: [PassedMemory], callbacks: [UInt64: PythonCallback], deadline: Deadline, retries: Int
    ) {
        self.packet = packet
        self.memory = memory
        self.deadline = deadline
        self.retries = retries
        state = Lock(State(callbacks: callbacks))
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Cancels it, wherever it is. Any thread; does not wait.
    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // Within the lock: once the call has ended, the process serves another one.
            state.process?.terminate()
        }
    }

    /// Notes the process that it waits for.
    func begin(on process: WorkerProcess) {
        state.withLock { state in
            state.process = process
            if state.isCancelled { process.terminate() }
        }
    }

    func end() { state.withLock { $0.process = nil } }

    var callbacks: [UInt64: PythonCallback] { state.withLock { $0.callbacks } }

    /// Adds functions that a callback returned.
    func add(_ callbacks: [UInt64: PythonCallback]) {
        if !callbacks.isEmpty { state.withLock { $0.callbacks.merge(callbacks) { _, new in new } } }
    }

    /// Keeps memory that a callback returned.
    func keep(_ memory: [PassedMemory]) { state.withLock { $0.kept += memory } }

    /// What a callback threw.
    func error(_ number: Int) -> (any Error)? {
        state.withLock { $0.errors.indices.contains(number) ? $0.errors[number] : nil }
    }

    /// An answer that raises an error in Python.
    func refusal(_ error: any Error) -> [UInt8] {
        let number = state.withLock { state in
            state.errors.append(error)
            return state.errors.count - 1
        }
        var type = "SwiftError"
        var exception: UInt64 = 0
        var reason = error
        if case WorkerError.python(let error) = error { reason = error }
        switch reason as? PythonError {
        case .exception(let raised): exception = raised.number & UInt64(UInt32.max)
        case .cancelled: type = "Cancelled"
        case .deadlineExceeded: type = "DeadlineExceeded"
        case .outOfMemory: type = "MemoryError"
        case .invalidBuffer: type = "ValueError"
        case .conversion: type = "TypeError"
        default: break
        }
        var writer = MessagePackWriter(.answer, fields: 2)
        writer.append(false)
        writer.appendArray(count: 4)
        writer.append(type)
        writer.append("\(error)")
        writer.append(number)
        writer.append(exception)
        return writer.bytes
    }
}
