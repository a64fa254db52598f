internal import Glibc
internal import Logging
internal import PythonBridge
internal import Subprocess
internal import SystemPackage

/// One python that serves calls: its start, its output, its end.
///
/// A thread of its own minds the process: it hands on what the process prints, sends it the signals that it is to have, and tells when it has ended.
@safe
final class WorkerProcess: Sendable {
    /// How it came to its end, or to none of its beginning.
    enum End {
        case ended(WorkerEnd)
        case notStarted(String)
    }

    /// A signal to the process and all that it has started.
    private struct Step {
        let signal: Int32
        let instant: ContinuousClock.Instant
    }

    private struct State {
        var processIdentifier: Int32?
        /// What is still to be done to end it, in this order.
        var steps: [Step] = []
        var isEnding = false
        var tail: [String] = []
        var end: End?
    }

    /// Lines of standard error that an error carries.
    private static let tailLength = 20
    /// One thread for the starts and ends of all processes, since those of Swift's pool may all be waiting for a worker.
    private static let executor: Result<PythonExecutor, PythonError> = {
        do throws(PythonError) { return .success(try PythonExecutor(threads: 1)) } catch { return .failure(error) }
    }()
    private static let bootstrap = """
        import os, socket, sys
        if sys.version_info < (3, 9):
            sys.exit("Python %d.%d is too old: a worker needs 3.9" % sys.version_info[:2])
        channel = socket.socket(fileno=os.dup(0))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        names = {"__name__": "python_workers", "__file__": "<PythonWorkers>"}
        exec(compile(channel.recv(1 << 17), "<PythonWorkers>", "exec"), names)
        names["main"](channel)
        """

    let socket: PacketSocket
    private let configuration: WorkerConfiguration
    private let logger: Logger
    /// The process ends when this does: nothing is ever written to it.
    private let lifeline: Descriptor
    /// Wakes the thread that minds the process.
    private let alarm: Pipe
    private let minder: WorkerThreads
    private let state = Monitor(State())

    /// Starts a process. It answers when it is ready.
    ///
    /// - Parameter whenEnded: Called when the process is no more, on any thread.
    init(
        _ configuration: WorkerConfiguration, whenEnded: @escaping @Sendable (WorkerProcess) -> Void
    ) throws(WorkerError) {
        self.configuration = configuration
        logger = configuration.logger
        let (socket, other) = try PacketSocket.makePair()
        let workerSocket = Descriptor(other)
        self.socket = socket
        let (lifeline, output, error): (Pipe, Pipe, Pipe)
        let python: String
        let executor: PythonExecutor
        do throws(PythonError) {
            (lifeline, output, error) = (try Pipe(), try Pipe(), try Pipe())
            alarm = try Pipe()
            python = try configuration.python.locate()
            executor = try Self.executor.get()
            minder = try WorkerThreads(count: 1)
        } catch {
            throw .notStarted("\(error)")
        }
        self.lifeline = lifeline.writing
        for pipe in [output.reading, error.reading, alarm.reading, alarm.writing] { pipe.setNonblocking() }
        do throws(PacketSocket.Failure) {
            try socket.send(PackageResources.worker_py)
            try socket.send(hello, descriptor: lifeline.reading.number)
        } catch {
            throw .notStarted("\(error)")
        }
        Task(executorPreference: executor) { [self] in
            await run(python, workerSocket, output, error)
            whenEnded(self)
        }
    }

    private var hello: [UInt8] {
        var writer = MessagePackWriter(.hello, fields: 5)
        writer.appendArray(count: configuration.searchPaths.count)
        for path in configuration.searchPaths { writer.append(FileSystem.absolute(path)) }
        writer.append(PythonLogLevel.number(of: configuration.logger.logLevel))
        let limits = configuration.limits
        for limit in [limits.memory, limits.processorSeconds, limits.openFiles] {
            if let limit { writer.append(limit) } else { writer.appendNil() }
        }
        return writer.bytes
    }

    /// The process, from its start to its end.
    private func run(
        _ python: String, _ workerSocket: Descriptor, _ output: Pipe, _ error: Pipe
    ) async {
        var options = PlatformOptions()
        options.processGroupID = 0
        let variables = configuration.environmentVariables.map { (Environment.Key(stringLiteral: $0), $1) }
        do {
            _ = try await Subprocess.run(
                .path(FilePath(python)), arguments: ["-I", "-X", "utf8", "-c", Self.bootstrap],
                environment: .inherit.updating(Dictionary(uniqueKeysWithValues: variables)),
                workingDirectory: configuration.workingDirectory.map { FilePath($0) }, platformOptions: options,
                input: .fileDescriptor(FileDescriptor(rawValue: workerSocket.take()), closeAfterSpawningProcess: true),
                output: .fileDescriptor(
                    FileDescriptor(rawValue: output.writing.take()), closeAfterSpawningProcess: true),
                error: .fileDescriptor(FileDescriptor(rawValue: error.writing.take()), closeAfterSpawningProcess: true)
            ) { [self] execution in
                let process = execution.processIdentifier
                let exit = Descriptor(dup(process.processDescriptor))
                await withCheckedContinuation { continuation in
                    minder.add { [self] in
                        mind(process.value, exit, LineReader(output.reading), LineReader(error.reading))
                        continuation.resume()
                    }
                }
            }
        } catch {
            finish(.notStarted("\(python): \(error)"))
        }
    }

    private func finish(_ end: End) {
        state.change { state in
            if state.end == nil { state.end = end }
        }
        socket.interrupt()
    }

    // MARK: - Its end

    /// The process's number, once it has one.
    var processIdentifier: Int32? { state.withLock { $0.processIdentifier } }

    /// How it ended, if it has.
    var end: End? { state.withLock { $0.end } }

    /// Whether it has ended or is to end.
    var isEnding: Bool { state.withLock { $0.isEnding || $0.end != nil } }

    /// How long it may take to end when it is made to: its grace, and what a busy machine takes.
    var longestEnd: Duration { configuration.terminationGrace + .seconds(10) }

    /// Waits until it has ended.
    func waitForEnd(until deadline: Deadline = .never) -> End? { state.wait(until: deadline) { $0.end } }

    /// Ends it by SIGTERM and then SIGKILL, and all that it has started. Does not wait.
    func terminate() { quit(within: .zero) }

    /// Has it end by itself, at once if it is idle; if it does not within the time, ends it. Does not wait.
    func quit(within limit: Duration = .seconds(1)) {
        let instant = ContinuousClock.now + limit
        state.withLock { state in
            state.steps = [
                Step(signal: SIGTERM, instant: instant),
                Step(signal: SIGKILL, instant: instant + configuration.terminationGrace),
            ]
            state.isEnding = true
        }
        // Not before: whoever is interrupted sees why.
        socket.interrupt()
        alarm.signal()
    }

    // MARK: - On the thread that minds it

    private func mind(_ process: Int32, _ exit: Descriptor, _ output: LineReader, _ error: LineReader) {
        var (output, error) = (output, error)
        state.change { $0.processIdentifier = process }
        func read(isLast: Bool) {
            output.read(isLast: isLast) { logger.info("\($0)", metadata: ["worker": "\(process)"]) }
            error.read(isLast: isLast) { line in
                state.withLock { state in
                    if state.tail.count == Self.tailLength {
                        // What names a crash stays, however long the traceback behind it is.
                        state.tail.remove(at: state.tail[0].hasPrefix(WorkerEnd.crash) ? 1 : 0)
                    }
                    state.tail.append(line)
                }
                logger.warning("\(line)", metadata: ["worker": "\(process)"])
            }
        }
        while true {
            let next = state.withLock { state in
                while let step = state.steps.first, step.instant <= .now {
                    kill(-process, step.signal)
                    // It may have joined another group.
                    kill(process, step.signal)
                    state.steps.removeFirst()
                }
                return Deadline(state.steps.first?.instant)
            }
            var requests = [
                pollfd(fd: exit.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: alarm.reading.number, events: Int16(POLLIN), revents: 0), output.request, error.request,
            ]
            unsafe poll(&requests, 4, next.milliseconds)
            if requests[0].revents != 0 { break }
            var bytes = [UInt8](repeating: 0, count: 16)
            unsafe Glibc.read(alarm.reading.number, &bytes, bytes.count)
            read(isLast: false)
        }
        // What it has started ends with it; it is not reaped yet, so that its number is nobody else's.
        kill(-process, SIGKILL)
        read(isLast: true)
        // Whoever waits is told before it is reaped, which takes a thread of Swift's pool.
        finish(.ended(WorkerEnd(status: ProcessEnding(of: process), standardErrorTail: state.withLock { $0.tail })))
    }
}

/// Levels of Python's `logging` module.
enum PythonLogLevel {
    static func number(of level: Logger.Level) -> Int {
        switch level {
        case .trace: 1
        case .debug: 10
        case .info, .notice: 20
        case .warning: 30
        case .error: 40
        case .critical: 50
        }
    }

    static func level(of number: Int) -> Logger.Level {
        switch number {
        case ..<10: .trace
        case ..<20: .debug
        case ..<30: .info
        case ..<40: .warning
        case ..<50: .error
        default: .critical
        }
    }
}
