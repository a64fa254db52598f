internal import Glibc
internal import PythonBridge
internal import Subprocess
internal import SystemPackage

/// One run of a script, on a thread of its own, so that it depends neither on the threads of Swift's tasks nor blocks one.
final class ScriptRun: Sendable {
    typealias Outcome = Result<ScriptOutput, ScriptError>

    /// The processes that run, and the signals that end them. None is reaped before it is taken out, so that the numbers are theirs.
    private static let running = Lock<[pid_t: Int32]>([:])

    private let launch: ScriptLaunch
    private let input: SharedBuffer<UInt8>?
    private let form: ScriptOutput.Form
    private let timeout: Duration?
    private let deadline: ContinuousClock.Instant?
    private let line: (@Sendable (ScriptOutput.Line) -> Void)?
    /// Readable once the run is cancelled.
    private let cancellation: Pipe
    private let executor: PythonExecutor

    init(
        _ launch: ScriptLaunch, input: ScriptInput, form: ScriptOutput.Form, timeout: Duration?,
        deadline: ContinuousClock.Instant?, line: (@Sendable (ScriptOutput.Line) -> Void)?
    ) throws(ScriptError) {
        self.launch = launch
        self.form = form
        self.timeout = timeout
        self.deadline = deadline
        self.line = line
        do {
            cancellation = try Pipe()
            executor = try PythonExecutor()
            self.input = try input.bytes.map { bytes in
                let buffer = try SharedBuffer<UInt8>(sharedMemoryCapacity: bytes.count)
                unsafe buffer.withUnsafeMutableBufferPointer { _ = unsafe $0.update(fromContentsOf: bytes) }
                return buffer
            }
        } catch {
            throw launch.script.error(.notLaunched("\(error)"))
        }
    }

    /// Suspends the task until the process is gone. When the task is cancelled, so is the run.
    func result() async throws(ScriptError) -> ScriptOutput {
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                Task(executorPreference: executor) {
                    continuation.resume(returning: await self.perform { _ in })
                }
            }
        } onCancel: {
            cancellation.signal()
        }
        return try outcome.get()
    }

    /// Blocks the thread until the process has ended. It is reaped at once, but this does not wait for that: it may take a thread of
    /// Swift's tasks, all of which may be blocked like this one.
    func waitForResult() throws(ScriptError) -> ScriptOutput {
        let first = Monitor<Outcome?>(nil)
        @Sendable func put(_ outcome: Outcome) { first.change { $0 = $0 ?? outcome } }
        Task(executorPreference: executor) { put(await self.perform(hasEnded: put)) }
        guard let outcome = first.wait({ $0 }) else {
            preconditionFailure("a wait without a deadline ends with a value")
        }
        return try outcome.get()
    }

    static func killAll() {
        running.withLock { for (process, signal) in $0 { killpg(process, signal) } }
    }

    /// - Parameter hasEnded: Is called when the process has ended, with what this returns.
    private func perform(hasEnded: (Outcome) -> Void) async -> Outcome {
        var outcome: Outcome?
        do {
            let output = try Pipe()
            let errors = form == .separate ? try Pipe() : nil
            func start<Input: InputProtocol>(_ input: Input) async throws {
                _ = try await Subprocess.run(
                    launch.configuration, input: input,
                    output: .fileDescriptor(
                        FileDescriptor(rawValue: output.writing.number), closeAfterSpawningProcess: false),
                    error: .fileDescriptor(
                        FileDescriptor(rawValue: (errors ?? output).writing.number), closeAfterSpawningProcess: false)
                ) { execution in
                    output.writing.closeNow()
                    errors?.writing.closeNow()
                    var watch = ScriptWatch(
                        execution.processIdentifier, output: output, errors: errors, cancellation: cancellation,
                        deadline: deadline, grace: launch.script.grace, limit: launch.script.outputLimit, line: line)
                    let signal = launch.script.isProgram ? SIGTERM : SIGKILL
                    Self.running.withLock { $0[execution.processIdentifier.value] = signal }
                    watch.untilEnd()
                    Self.running.withLock { $0[execution.processIdentifier.value] = nil }
                    let ended = self.outcome(of: watch)
                    outcome = ended
                    hasEnded(ended)
                }
            }
            if let descriptor = input?.withSharedMemoryDescriptor({ descriptor, _ in descriptor }) {
                try await start(.fileDescriptor(FileDescriptor(rawValue: descriptor), closeAfterSpawningProcess: false))
            } else {
                try await start(.none)
            }
        } catch {
            return outcome ?? .failure(launch.script.error(.notLaunched("the process cannot be started: \(error)")))
        }
        return outcome ?? .failure(launch.script.error(.notLaunched("the process was not watched")))
    }

    private func outcome(of watch: ScriptWatch) -> Outcome {
        let reason: ScriptError.Reason? =
            switch watch.stop {
            case .cancelled: .cancelled
            case .timedOut: .timedOut(timeout ?? .zero)
            case .outputLimitExceeded: .outputLimitExceeded(launch.script.outputLimit)
            case nil: watch.ending == .exited(0) ? nil : .failed
            }
        guard let reason else { return .success(watch.output) }
        return .failure(launch.script.error(reason, ending: watch.ending, output: watch.output))
    }
}
