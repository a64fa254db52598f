public import PythonBridge

/// A call of a worker's function whose arguments stay the same, put together once: what is in the buffers may change from call to call.
///
/// ```swift
/// let detect = try workers.function("detect_into", in: "pyoutliers").prepared(samples, indices, returning: Int.self)
/// let found = try detect.callAndWait()    // what Swift last wrote to samples
/// ```
///
/// It takes numbers, text, and memory that the worker maps; it holds the memory. Memory that would be copied is refused, since the copy would stay as it is.
public struct PreparedWorkerCall<R: WorkerResult>: Sendable {
    private let function: WorkerFunction
    private let packet: [UInt8]
    private let memory: [PassedMemory]

    init(_ function: WorkerFunction, _ call: consuming WorkerCall) throws(WorkerError) {
        guard call.callbacks.isEmpty, !call.holdsCopies else {
            throw .python(.invalidBuffer("a prepared call takes shared memory alone, and no callback"))
        }
        self.function = function
        packet = call.writer.bytes
        memory = call.memory
    }

    /// Calls, and waits in the task.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction() async throws(WorkerError) -> R {
        try function.read(await function.workers.outcome(of: request))
    }

    /// Calls, and waits on this thread, which runs no tasks.
    ///
    /// - Throws: ``WorkerError``.
    public func callAndWait() throws(WorkerError) -> R {
        try function.read(function.workers.outcome(of: request))
    }

    private var request: CallRequest { function.request(packet, memory) }
}

extension WorkerFunction {
    /// Puts a call together, for many calls.
    ///
    /// - Throws: ``WorkerError/python(_:)`` when an argument cannot be passed, or would be copied.
    public func prepared<each Argument: WorkerArgument & PythonConvertible, R: WorkerResult>(
        _ arguments: repeat each Argument, keywords: PythonKeywords? = nil, returning type: R.Type = R.self
    ) throws(WorkerError) -> PreparedWorkerCall<R> {
        var arity = 0
        for _ in repeat (each Argument).self { arity += 1 }
        var call = begin(arity, returning: R.self)
        repeat try call.append(argument: each arguments)
        try call.append(keywords)
        call.appendLent()
        return try PreparedWorkerCall(self, call)
    }
}
