internal import Glibc
internal import Logging
internal import PythonBridge

/// A pool of Python processes, each with its own interpreter, GIL and environment, that work on this process's shared memory.
///
/// ```swift
/// let workers = PythonWorkers(WorkerConfiguration(count: 2, searchPaths: ["."]))
/// let detect = workers.function("detect_into", in: "pyoutliers")
/// let found: Int = try await detect(samples, indices)
/// ```
///
/// Buffers of `SharedBuffer.init(sharedMemoryCapacity:)` and mapped files are mapped by both sides and never copied; other memory is copied, and
/// the `MemoryLedger` counts that. A worker that crashes, hangs or is killed costs its own call an error; another one takes its place. Python
/// need not run in this process.
///
/// The processes end with ``shutDown(within:)``, when the pool is given up, and when this process ends, however it does.
public final class PythonWorkers: Sendable {
    private struct State {
        var idle: [Worker] = []
        /// Idle or busy.
        var workers: [Worker] = []
        /// Idle, busy or being started; no more than the configuration allows.
        var occupied = 0
        /// All that have not ended.
        var processes: [WorkerProcess] = []
        var isShutDown = false
        /// Whether the time is over that a shutdown gave the calls.
        var endsCalls = false
        var executor: PythonExecutor?
    }

    /// How the workers are started and used.
    public let configuration: WorkerConfiguration
    private let state = Monitor(State())
    /// Memory that is watched for being given back.
    private let watched = Lock<Set<UInt64>>([])

    /// The worker that waits for the callback that this thread or task is in.
    @TaskLocal static var current: Worker?

    /// A pool. No process is started before there is a call.
    public init(_ configuration: WorkerConfiguration = WorkerConfiguration()) {
        self.configuration = configuration
    }

    deinit {
        for process in state.withLock({ $0.processes }) { process.terminate() }
    }

    /// A function of a module.
    ///
    /// The module is imported, and the function looked up, by the first call in each worker, which throws what goes wrong.
    public func function(_ name: String, in module: String) -> WorkerFunction {
        WorkerFunction(workers: self, name: name) { $0.append(module) }
    }

    /// A function of a script file, which each worker runs once, under its own name.
    ///
    /// - Parameters:
    ///   - name: The function.
    ///   - path: The script; its directory is searched for modules.
    /// - Throws: ``WorkerError/python(_:)`` when there is no such file.
    public func function(_ name: String, inScript path: String) throws(WorkerError) -> WorkerFunction {
        guard let script = FileSystem.resolved(path) else {
            throw .python(.file(path: path, errno: errno))
        }
        let directory = FileSystem.parent(of: script)
        return WorkerFunction(workers: self, name: name) { writer in
            writer.appendArray(count: 2)
            writer.append(script)
            writer.append(directory)
        }
    }

    /// The numbers of the processes that there are now.
    public var processIdentifiers: [Int32] {
        state.withLock { $0.processes }.compactMap { $0.end == nil ? $0.processIdentifier : nil }
    }

    // MARK: - Calls

    /// Has a worker serve a call, and waits for it on this thread.
    func perform(_ request: CallRequest) throws(WorkerError) -> WorkerReply {
        // A call by a callback is served within the call that it is a callback of.
        if let current = Self.current, state.withLock({ $0.processes.contains { $0 === current.process } }) {
            return try current.serve(request)
        }
        var retries = request.retries
        while true {
            let worker = try checkOut(request)
            defer { checkIn(worker) }
            do throws(WorkerError) {
                return try worker.serve(request)
            } catch {
                if case .ended = error, state.withLock({ $0.endsCalls }) { throw .shutDown }
                guard case .ended = error, retries > 0, !request.deadline.hasPassed else { throw error }
                retries -= 1
            }
        }
    }

    /// Has a worker serve a call.
    func perform(_ request: CallRequest) async throws(WorkerError) -> WorkerReply {
        do {
            return try await withTaskCancellationHandler {
                try await executor().run(deadline: request.deadline.instant) { try self.perform(request) }
            } onCancel: {
                request.cancel()
                state.change { _ in }
            }
        } catch let error as WorkerError {
            throw error
        } catch let error as PythonError {
            switch error {
            case .cancelled: throw .cancelled
            case .deadlineExceeded: throw .deadlineExceeded
            default: throw .python(error)
            }
        } catch {
            throw .notStarted("\(error)")
        }
    }

    func outcome(of request: CallRequest) -> Result<WorkerReply, WorkerError> {
        do throws(WorkerError) { return .success(try perform(request)) } catch { return .failure(error) }
    }

    func outcome(of request: CallRequest) async -> Result<WorkerReply, WorkerError> {
        do throws(WorkerError) { return .success(try await perform(request)) } catch { return .failure(error) }
    }

    /// Threads that wait for the workers' answers.
    private func executor() throws(WorkerError) -> PythonExecutor {
        try state.withLock { state throws(WorkerError) in
            if let executor = state.executor { return executor }
            do throws(PythonError) {
                let executor = try PythonExecutor(threads: configuration.count, capacity: .max)
                state.executor = executor
                return executor
            } catch {
                throw .notStarted("\(error)")
            }
        }
    }

    private enum Admission {
        case idle(Worker)
        /// There is room for another one.
        case room
    }

    /// A worker that serves nobody else.
    private func checkOut(_ request: CallRequest) throws(WorkerError) -> Worker {
        while true {
            let admission = try state.wait(until: request.deadline) { state throws(WorkerError) -> Admission? in
                if state.isShutDown { throw .shutDown }
                if request.isCancelled { throw .cancelled }
                if request.deadline.hasPassed { throw .deadlineExceeded }
                if let worker = state.idle.popLast() { return .idle(worker) }
                guard state.occupied < configuration.count else { return nil }
                state.occupied += 1
                return .room
            }
            switch admission {
            case .idle(let worker):
                if worker.isUsable,
                    worker.idleTime < configuration.healthCheckInterval || isAlive(worker, for: request)
                {
                    return worker
                }
                worker.process.terminate()
                vacate(worker)
            case .room: return try start(for: request)
            case nil: throw .deadlineExceeded
            }
        }
    }

    private func isAlive(_ worker: Worker, for request: CallRequest) -> Bool {
        request.begin(on: worker.process)
        defer { request.end() }
        return worker.isAlive(until: .earlier(request.deadline, Deadline(after: .seconds(1))))
    }

    private func start(for request: CallRequest) throws(WorkerError) -> Worker {
        do throws(WorkerError) {
            let process = try WorkerProcess(configuration) { [weak self] process in
                self?.state.change { state in state.processes.removeAll { $0 === process } }
            }
            let isShutDown = state.withLock { state in
                if process.end == nil { state.processes.append(process) }
                return state.isShutDown
            }
            if isShutDown { process.terminate() }
            request.begin(on: process)
            defer { request.end() }
            let limit = Deadline.earlier(request.deadline, Deadline(after: configuration.startTimeout))
            let worker = try Worker(process, configuration.logger, deadline: limit) { [weak self] mapping in
                self?.watch(mapping)
            }
            state.withLock { $0.workers.append(worker) }
            return worker
        } catch {
            vacate()
            if request.isCancelled { throw .cancelled }
            throw request.deadline.hasPassed ? .deadlineExceeded : error
        }
    }

    private func checkIn(_ worker: Worker) {
        guard worker.isUsable, !isWornOut(worker) else {
            worker.process.quit()
            return vacate(worker)
        }
        let isShutDown = state.change { state in
            if !state.isShutDown { state.idle.append(worker) }
            return state.isShutDown
        }
        if isShutDown {
            worker.process.quit()
            vacate(worker)
        }
    }

    private func vacate(_ worker: Worker? = nil) {
        state.change { state in
            state.occupied -= 1
            state.workers.removeAll { $0 === worker }
        }
    }

    /// Whether it has served as much as it is to.
    private func isWornOut(_ worker: Worker) -> Bool {
        if let calls = configuration.recycling.calls, worker.callCount >= calls { return true }
        guard let limit = configuration.recycling.memory, let process = worker.process.processIdentifier else {
            return false
        }
        return (ProcessMemory(of: process)?.anonymous ?? 0) > limit
    }

    /// Has the workers unmap memory once this process has given it back.
    private func watch(_ mapping: SharedMapping) {
        guard watched.withLock({ $0.insert(mapping.number).inserted }) else { return }
        mapping.whenFreed { [weak self] number in self?.forget(number) }
    }

    private func forget(_ number: UInt64) {
        watched.withLock { _ = $0.remove(number) }
        for worker in state.withLock({ $0.workers }) { worker.forget(number) }
    }

    // MARK: - The end

    /// Ends the workers, once their calls are over, and waits for that on this thread. Later calls throw ``WorkerError/shutDown``.
    ///
    /// - Parameter limit: How long the calls have time; then they are ended, and throw the same.
    public func shutDownAndWait(within limit: Duration = .seconds(5)) {
        let deadline = Deadline(after: limit)
        let idle = state.change { state in
            state.isShutDown = true
            defer {
                state.occupied -= state.idle.count
                state.workers.removeAll { worker in state.idle.contains { $0 === worker } }
                state.idle = []
            }
            return state.idle
        }
        for worker in idle { worker.process.quit() }
        _ = state.wait(until: deadline) { $0.occupied == 0 ? () : nil }
        _ = state.wait(until: deadline) { $0.processes.isEmpty ? () : nil }
        let late = state.withLock { state in
            state.endsCalls = true
            return state.processes
        }
        for process in late { process.terminate() }
        _ = state.wait(until: Deadline(after: .seconds(10))) { $0.processes.isEmpty && $0.occupied == 0 ? () : nil }
    }

    /// Ends the workers, once their calls are over. Later calls throw ``WorkerError/shutDown``.
    ///
    /// - Parameter limit: How long the calls have time; then they are ended, and throw the same.
    public func shutDown(within limit: Duration = .seconds(5)) async {
        await withCheckedContinuation { continuation in
            guard let thread = try? WorkerThreads(count: 1) else {
                shutDownAndWait(within: limit)
                return continuation.resume()
            }
            thread.add {
                self.shutDownAndWait(within: limit)
                continuation.resume()
            }
        }
    }
}
