import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

/// Workers that die in all ways while they serve many calls at once, in an order that chance decides and a seed repeats.
///
/// `STORM_SEED` repeats what a run did that printed it, as far as processes can; `WORKER_STORM_CALLS` is how many calls there are.
@Suite struct WorkerStormTests {
    @Test(.timeLimit(.minutes(15)))
    func `a storm of calls and deaths has the right results or errors in time and leaves nothing`() async {
        let seed = number(of: "STORM_SEED") ?? Int.random(in: 0..<1_000_000)
        let calls = number(of: "WORKER_STORM_CALLS") ?? 1000
        print("worker storm: \(calls) calls, STORM_SEED=\(seed)")
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            [seed = seed as Int, calls = calls as Int] in
            alarm(800)  // ends the process if it hangs
            let before = try Holdings.afterFirstPool()
            do {
                let storm = try WorkerStorm(seed: UInt64(seed))
                try await storm.blow(calls)
                await storm.workers.shutDown()
                print(storm.summary)
            } catch {
                Issue.record(error)
            }
            before.expectNothingSince()
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    func number(of variable: String) -> Int? {
        unsafe getenv(variable).flatMap { unsafe Int(String(cString: $0)) }
    }
}

/// Chance that can be repeated.
private typealias Chance = SeededGenerator

extension SeededGenerator {
    fileprivate init(_ seed: UInt64) { self.init(seed: seed) }

    fileprivate mutating func number(_ bound: Int) -> Int { number(in: 0...bound - 1) }
}

/// What happened.
private struct Counts {
    var calls = 0
    /// Ends and interruptions of calls that did nothing to deserve it.
    var innocentEnds = 0
    var innocentDelays = 0
    /// Signals to processes from outside.
    var kills = 0
    var stops = 0
    var latest = Duration.zero
    /// How late the machine was to wake a thread that slept.
    var stall = Duration.zero
}

private final class WorkerStorm: Sendable {
    typealias Call = @Sendable (WorkerStorm) -> (inout Chance) async throws -> Void

    private static let (tasks, threads) = (8, 4)
    /// A call that does nothing wrong has time for others that hang.
    private static let patience = Duration.seconds(20)

    let workers: PythonWorkers
    private let seed: UInt64
    private let shared: SharedBuffer<Int>
    private let counts = Monitor(Counts())
    private let isOver = Monitor(false)

    init(seed: UInt64) throws {
        self.seed = seed
        workers = PythonWorkers(.test(count: 4))
        shared = try SharedBuffer(sharedMemoryCapacity: 1000)
        for index in shared.indices { shared[index] = index }
    }

    var summary: String { "\(counts.withLock { $0 })" }

    private func function(_ name: String) -> WorkerFunction { workers.function(name, in: "hardships") }

    // MARK: Who calls

    func blow(_ calls: Int) async throws {
        let thread = try PythonExecutor()
        async let strikes: Void = thread.run { self.strikeUntilOver() }
        defer { isOver.withLock { $0 = true } }
        let share = calls / (Self.tasks + Self.threads)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<Self.tasks + Self.threads {
                let chance = Chance(seed &* 1_000_003 &+ UInt64(index))
                group.addTask {
                    if index < Self.tasks {
                        try await self.blow(share, chance)
                    } else {
                        try await self.blowOnThread(share, chance)
                    }
                }
            }
            try await group.waitForAll()
        }
        isOver.withLock { $0 = true }
        try await strikes
        // Nobody pays for a process that another call has ended.
        let counts = counts.withLock { $0 }
        #expect(counts.innocentEnds <= counts.kills, "\(counts)")
        #expect(counts.innocentDelays <= counts.stops, "\(counts)")
        #expect(counts.calls > calls / 2)
    }

    private func blow(_ calls: Int, _ chance: Chance) async throws {
        var chance = chance
        for _ in 0..<calls { try await Self.calls[chance.number(Self.calls.count)](self)(&chance) }
    }

    /// The same calls, each waiting on a thread that is nobody else's.
    private func blowOnThread(_ calls: Int, _ chance: Chance) async throws {
        let executor = try PythonExecutor(threads: 1)
        var chance = chance
        for _ in 0..<calls {
            let (number, numbers) = (chance.number(1 << 40), chance.next())
            try await executor.run { try self.callOnThread(number, numbers) }
        }
    }

    private func callOnThread(_ number: Int, _ which: UInt64) throws {
        switch which % 8 {
        case 0: try endOnThread("leave", which % 2 == 0 ? 3 : 0)
        case 1:
            try timed(.milliseconds(300)) { function in
                let error = failure { () throws(WorkerError) in try function("hang_in")("loop") }
                try Self.unless(error.isInterruption || error.isStroke, "\(String(describing: error))")
            }
        default:
            let result = Result { () throws(WorkerError) in
                try function("echo").timeout(Self.patience).blocking(number) as Int
            }
            try expect(result, number)
        }
    }

    private func endOnThread(_ name: String, _ status: Int) throws {
        let error = failure { () throws(WorkerError) in try function(name).timeout(Self.patience).blocking(status) }
        try judge(error) { end in end.status == .exited(Int32(status)) }
    }

    /// Kills or stops a process now and then, and measures how late the machine is.
    private func strikeUntilOver() {
        var chance = Chance(seed)
        while !isOver.withLock({ $0 }) {
            let start = ContinuousClock.now
            usleep(10_000)
            let stall = .now - start - .milliseconds(10)
            counts.withLock { $0.stall = max($0.stall, stall) }
            if chance.number(20) == 0 { strike(&chance) }
        }
    }

    private func strike(_ chance: inout Chance) {
        let processes = workers.processIdentifiers
        guard !processes.isEmpty else { return }
        let process = processes[chance.number(processes.count)]
        let signal = chance.number(8) == 0 ? SIGSTOP : SIGKILL
        counts.withLock { if signal == SIGSTOP { $0.stops += 1 } else { $0.kills += 1 } }
        kill(process, signal)
    }

    // MARK: What they call

    private static let calls: [Call] = [
        echo, echo, echo, echo, echo, echo, sum, sum, text, many, callBack, callBack, raise, raise, lend,
        leave, beKilled, segfault, hang, hang, garbage, cancel, cancel, cancelAtOnce,
    ]

    private static func unless(_ isRight: Bool, _ what: @autoclosure () -> String) throws(Unexpected) {
        if !isRight { throw Unexpected(what: what()) }
    }

    /// Right, or the error of a process that was struck from outside.
    private func expect<Value: Equatable>(_ result: Result<Value, WorkerError>, _ expected: Value) throws {
        counts.withLock { $0.calls += 1 }
        switch result {
        case .success(let value): try Self.unless(value == expected, "\(value) instead of \(expected)")
        case .failure(let error): try innocent(error)
        }
    }

    private func innocent(_ error: WorkerError?) throws {
        switch error {
        case let error where error.isStroke: counts.withLock { $0.innocentEnds += 1 }
        case .deadlineExceeded: counts.withLock { $0.innocentDelays += 1 }
        case let error: throw Unexpected(what: "\(String(describing: error))")
        }
    }

    /// The end that the call deserves, or one from outside.
    private func judge(_ error: WorkerError?, isDeserved: (WorkerEnd) -> Bool) throws {
        counts.withLock { $0.calls += 1 }
        if case .ended(let end) = error, isDeserved(end) { return }
        try innocent(error)
    }

    private func outcome<Value>(
        _ body: () async throws(WorkerError) -> Value
    ) async -> Result<Value, WorkerError> {
        do throws(WorkerError) { return .success(try await body()) } catch { return .failure(error) }
    }

    /// Calls with a time limit, which is kept.
    private func timed(_ limit: Duration, _ body: ((String) -> BlockingWorkerFunction) throws -> Void) throws {
        let start = ContinuousClock.now
        try body { function($0).timeout(limit).blocking }
        try note(.now - start - limit)
    }

    private func note(_ delay: Duration) throws {
        let stall = counts.withLock { counts in
            counts.calls += 1
            counts.latest = max(counts.latest, delay)
            return counts.stall
        }
        try Self.unless(delay < .milliseconds(250) + stall, "\(delay) after the deadline")
    }

    @Sendable private func echo(_ chance: inout Chance) async throws {
        let number = chance.number(1 << 40)
        let echo = function("echo").timeout(Self.patience)
        try expect(await outcome { () async throws(WorkerError) in try await echo(number) as Int }, number)
    }

    @Sendable private func text(_ chance: inout Chance) async throws {
        let text = String(repeating: "é", count: chance.number(100_000))
        let echo = function("echo").timeout(Self.patience)
        try expect(await outcome { () async throws(WorkerError) in try await echo(text) as String }, text)
    }

    @Sendable private func many(_ chance: inout Chance) async throws {
        let numbers = (0..<chance.number(20_000)).map { _ in Double(chance.number(1000)) }
        let echo = function("echo").timeout(Self.patience)
        try expect(await outcome { () async throws(WorkerError) in try await echo(numbers) as [Double] }, numbers)
    }

    @Sendable private func sum(_ chance: inout Chance) async throws {
        let sum = function("add_all").timeout(Self.patience)
        try expect(
            await outcome { () async throws(WorkerError) in try await sum(shared) as Int },
            (0..<shared.count).reduce(0, +))
    }

    @Sendable private func lend(_ chance: inout Chance) async throws {
        let numbers = (0..<chance.number(5000)).map { _ in chance.number(1000) }
        let sum = function("add_all").timeout(Self.patience)
        try expect(
            await outcome { () async throws(WorkerError) in try await sum(.lending(numbers)) as Int },
            numbers.reduce(0, +))
    }

    /// Has the worker that waits for it add one.
    private var nextNumber: PythonCallback {
        let add = function("add_all")
        return PythonCallback { (value: Int) throws -> Int in try add.blocking([value, 1]) }
    }

    @Sendable private func callBack(_ chance: inout Chance) async throws {
        let number = chance.number(1000)
        let callback = nextNumber
        let call = function("call").timeout(Self.patience)
        let result = await outcome { () async throws(WorkerError) in try await call(callback, number) as Int }
        try expect(result, number + 1)
    }

    @Sendable private func raise(_ chance: inout Chance) async throws {
        let text = "\(chance.number(1000))"
        let refuse = function("refuse").timeout(Self.patience)
        let result = await outcome { () async throws(WorkerError) -> String in
            do throws(WorkerError) { try await refuse(text) } catch {
                guard case .python(.exception(let exception)) = error else { throw error }
                return "\(exception.type) \(exception.message)"
            }
            return "nothing"
        }
        try expect(result, "ValueError \(text)")
    }

    @Sendable private func leave(_ chance: inout Chance) async throws {
        let status = chance.number(4)
        let leave = function("leave").timeout(Self.patience)
        let error = await failure { () async throws(WorkerError) in try await leave(status) }
        try judge(error) { $0.status == .exited(Int32(status)) && $0.standardErrorTail.last == "leaving" }
    }

    @Sendable private func beKilled(_ chance: inout Chance) async throws {
        let signal = [SIGKILL, SIGABRT, SIGBUS, SIGTERM][chance.number(4)]
        let function = function("be_killed").timeout(Self.patience)
        let error = await failure { () async throws(WorkerError) in try await function(Int(signal)) }
        try judge(error) { $0.status == .signalled(signal) }
    }

    @Sendable private func segfault(_ chance: inout Chance) async throws {
        let function = function("write_to_null").timeout(Self.patience)
        let error = await failure { () async throws(WorkerError) in try await function() }
        try judge(error) { $0.status == .signalled(SIGSEGV) }
    }

    @Sendable private func hang(_ chance: inout Chance) async throws {
        let way = ["loop", "hold", "stop", "refuse_to_end"][chance.number(4)]
        let limit = Duration.milliseconds(50 + chance.number(300))
        let hang = function("hang_in").timeout(limit)
        let start = ContinuousClock.now
        let error = await failure { () async throws(WorkerError) in try await hang(way) }
        try note(.now - start - limit)
        try Self.unless(error.isInterruption || error.isStroke, "\(String(describing: error))")
    }

    @Sendable private func garbage(_ chance: inout Chance) async throws {
        let packet = String(decoding: (0..<1 + chance.number(50)).map { _ in UInt8(chance.number(128)) }, as: UTF8.self)
        let send = function("send_garbage").timeout(Self.patience)
        let error = await failure { () async throws(WorkerError) in let _: Int = try await send(packet) }
        counts.withLock { $0.calls += 1 }
        if case .misbehaved = error { return }
        try innocent(error)
    }

    @Sendable private func cancel(_ chance: inout Chance) async throws {
        try await cancel(after: .milliseconds(chance.number(200)), &chance)
    }

    @Sendable private func cancelAtOnce(_ chance: inout Chance) async throws {
        try await cancel(after: .microseconds(chance.number(1000)), &chance)
    }

    private func cancel(after delay: Duration, _ chance: inout Chance) async throws {
        let number = chance.number(1000)
        let isSleeper = chance.number(2) == 0
        let (sleep, echo) = (function("sleep").timeout(Self.patience), function("echo").timeout(Self.patience))
        let task = Task {
            await outcome { () async throws(WorkerError) -> Int in
                if isSleeper { try await sleep(0.05) }
                return try await echo(number)
            }
        }
        try await Task.sleep(for: delay)
        let cancellation = ContinuousClock.now
        task.cancel()
        let result = await task.value
        try note(.now - cancellation)
        if case .failure(.cancelled) = result { return }
        try expect(result, number)
    }
}

extension WorkerError? {
    fileprivate var isInterruption: Bool {
        if case .deadlineExceeded = self { true } else { false }
    }

    /// Whether the process was killed from outside, or may have been.
    fileprivate var isStroke: Bool {
        switch self {
        case .ended(let end): end.status == .signalled(SIGKILL)
        case .notStarted(let reason): reason == "the worker ended by SIGKILL"
        default: false
        }
    }
}
