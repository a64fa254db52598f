internal import PythonBridge

/// A function that the workers of a pool can call: `let found: Int = try await detect(samples, indices)`.
///
/// It is called as a `PythonFunction` is, and awaited; the task's cancellation ends the call. ``blocking`` is the same function for threads that run no tasks.
public struct WorkerFunction: Sendable {
    /// The pool, which the function keeps.
    public let workers: PythonWorkers
    /// Its name in Python.
    public let name: String
    /// How long a call may take; nil for any time.
    private var timeLimit: Duration?
    private var retries = 0
    /// Message, module or script, and name.
    private let prefix: MessagePackWriter

    init(workers: PythonWorkers, name: String, module: (inout MessagePackWriter) -> Void) {
        self.workers = workers
        self.name = name
        timeLimit = workers.configuration.timeout
        var writer = MessagePackWriter(.call, fields: 6)
        module(&writer)
        writer.append(name)
        prefix = writer
    }

    /// The same function, whose calls block the thread until they are over: `let found: Int = try detect.blocking(samples, indices)`.
    public var blocking: BlockingWorkerFunction { BlockingWorkerFunction(function: self) }

    /// The same function, whose calls may take so long, the wait for a worker included. A worker that takes longer is ended.
    public func timeout(_ duration: Duration?) -> WorkerFunction {
        var function = self
        function.timeLimit = duration
        return function
    }

    /// The same function, whose calls are begun again, so many times at most, when the worker ends during one: calling it twice does no harm.
    public func idempotent(retries: Int = 1) -> WorkerFunction {
        var function = self
        function.retries = retries
        return function
    }

    /// Begins a call: all but the arguments.
    func begin<R: WorkerResult>(_ arity: Int, returning type: R.Type) -> WorkerCall {
        var writer = prefix
        writer.reserve(160)
        writer.append(R.workerKind)
        writer.appendArray(count: arity)
        return WorkerCall(writer, arity: arity)
    }

    /// Ends the arguments.
    func request(
        _ call: inout WorkerCall, _ keywords: PythonKeywords?
    ) throws(WorkerError) -> CallRequest {
        try call.append(keywords)
        call.appendLent()
        return request(call.writer.bytes, call.memory, call.callbacks)
    }

    func request(
        _ packet: [UInt8], _ memory: [PassedMemory], _ callbacks: [UInt64: PythonCallback] = [:]
    ) -> CallRequest {
        CallRequest(
            packet: packet, memory: memory, callbacks: callbacks, deadline: Deadline(after: timeLimit), retries: retries
        )
    }

    /// Reads the result. The arguments are still there.
    func finish<R: WorkerResult>(
        _ call: borrowing WorkerCall, _ reply: Result<WorkerReply, WorkerError>
    ) throws(WorkerError) -> R {
        switch reply {
        case .success, .failure(.python): call.takeBack()
        case .failure: break
        }
        return try read(reply)
    }

    /// Reads the result.
    func read<R: WorkerResult>(_ reply: Result<WorkerReply, WorkerError>) throws(WorkerError) -> R {
        switch reply {
        case .success(var reply):
            do throws(WorkerError) {
                let result = try R.read(from: &reply)
                try reply.finish()
                return result
            } catch {
                if case .misbehaved = error { reply.endWorker() }
                throw error
            }
        case .failure(let error):
            if case .python(.conversion(expected: "", let found)) = error {
                throw .python(.conversion(expected: "\(R.self)", found: found))
            }
            throw error
        }
    }
}

/// A function that the workers of a pool can call, and the thread waits: not for tasks, whose threads are few and which it does not let be cancelled.
public struct BlockingWorkerFunction: Sendable {
    /// The function, to be awaited.
    public let function: WorkerFunction

    /// The same function, whose calls may take so long, the wait for a worker included. A worker that takes longer is ended.
    public func timeout(_ duration: Duration?) -> BlockingWorkerFunction { function.timeout(duration).blocking }

    /// The same function, whose calls are begun again, so many times at most, when the worker ends during one: calling it twice does no harm.
    public func idempotent(retries: Int = 1) -> BlockingWorkerFunction {
        function.idempotent(retries: retries).blocking
    }
}
