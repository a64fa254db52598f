import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

/// How workers come, go and are replaced.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerLifeTests {
    let workers = PythonWorkers(.test())

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "hardships").blocking }

    /// A pool whose configuration differs from the usual one.
    func pool(_ change: (inout WorkerConfiguration) -> Void) -> PythonWorkers {
        var configuration = WorkerConfiguration.test()
        change(&configuration)
        return PythonWorkers(configuration)
    }

    /// Expects that the next call has a new worker, and the old one is no more.
    func expectReplacement(of first: Int) throws {
        let second: Int = try function("process")()
        #expect(second != first)
        #expect(eventually { Processes.state(of: Int32(first)) == nil })
        #expect(workers.processIdentifiers == [Int32(second)])
    }

    // MARK: - Start

    @Test
    func `a worker is started by the first call and kept for the next`() throws {
        #expect(workers.processIdentifiers == [])
        let first: Int = try function("process")()
        #expect(workers.processIdentifiers == [Int32(first)])
        for _ in 0..<10 { #expect(try function("process")() == first) }
    }

    @Test
    func `there are as many workers as there are calls at once, up to the number of the configuration`() async throws {
        let workers = PythonWorkers(.test(count: 3))
        let (process, sleep) = (
            workers.function("process", in: "hardships").blocking, workers.function("sleep", in: "hardships").blocking
        )
        for _ in 0..<3 { let _: Int = try await process.function() }
        #expect(workers.processIdentifiers.count == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<9 { group.addTask { try await sleep.function(0.3) } }
            try await group.waitForAll()
        }
        #expect(workers.processIdentifiers.count == 3)
    }

    // MARK: - End

    @Test(arguments: [
        ("write_to_null", SIGSEGV, "SIGSEGV"), ("be_killed", SIGKILL, "SIGKILL"), ("be_killed", SIGABRT, "SIGABRT"),
        ("be_killed", SIGBUS, "SIGBUS"), ("be_killed", SIGTERM, "SIGTERM"), ("be_killed", SIGRTMIN() + 1, "signal 35"),
    ])
    func `a signal that ends a worker costs its call an error with the signal's name`(
        name: String, signal: Int32, text: String
    ) throws {
        let first: Int = try function("process")()
        let end = try end { () throws(WorkerError) in
            if name == "be_killed" { try function(name)(Int(signal)) } else { try function(name)() }
        }
        #expect(end.status == .signalled(signal))
        #expect("\(end)".hasPrefix("the worker ended by \(text)"))
        #expect(!"\(end)".contains("\n"))
        #expect(!end.standardErrorTail.isEmpty)
        try expectReplacement(of: first)
    }

    private static func SIGRTMIN() -> Int32 { 34 }

    @Test(arguments: [0, 3, 255])
    func `an exit costs the call an error with its status and what was written last`(status: Int) throws {
        let first: Int = try function("process")()
        let end = try end { () throws(WorkerError) in try function("leave")(status) }
        #expect(end.status == .exited(Int32(status)))
        #expect("\(end)" == "the worker exited with status \(status): leaving")
        try expectReplacement(of: first)
    }

    @Test
    func `sys exit is an exception, which the worker survives`() throws {
        let first: Int = try function("process")()
        let exit = workers.function("exit", in: "sys").blocking
        #expect(message { () throws(WorkerError) in try exit(3) } == "SystemExit: 3")
        #expect(try function("process")() == first)
    }

    @Test(arguments: [
        ("", "it closed its socket"), ("\u{C1}", "no list"), ("hello", "no list"),
        ("\u{91}\u{63}", "a packet of an unknown kind"),
        ("\u{92}\u{01}", "a packet ends too early"),
        ("\u{94}\u{02}\u{DD}\u{FF}\u{FF}\u{FF}\u{FF}", "a packet ends too early"),
    ])
    func `garbage costs the call an error and the worker its life`(packet: String, reason: String) throws {
        let first: Int = try function("process")()
        let error = message { () throws(WorkerError) in let _: Int = try function("send_garbage")(packet) }
        #expect(error == "the worker sent what no worker sends: \(reason)")
        try expectReplacement(of: first)
    }

    @Test(arguments: [("send_too_much", "a packet of 100000 bytes"), ("close_socket", "it closed its socket")])
    func `what no worker does costs the call an error and the worker its life`(name: String, reason: String) throws {
        let first: Int = try function("process")()
        let error = message { () throws(WorkerError) in try function(name)() }
        #expect(error == "the worker sent what no worker sends: \(reason)")
        try expectReplacement(of: first)
    }

    @Test
    func `a worker that was killed while it was idle is replaced before the next call`() throws {
        let first: Int = try function("process")()
        kill(Int32(first), SIGKILL)
        #expect(eventually { workers.processIdentifiers.isEmpty })
        try expectReplacement(of: first)
    }

    @Test
    func `a worker that no longer answers is replaced before the next call`() throws {
        let workers = pool { $0.healthCheckInterval = .zero }
        let process = workers.function("process", in: "hardships").blocking
        let first: Int = try process()
        #expect(try process() == first)
        kill(Int32(first), SIGSTOP)
        let second: Int = try process()
        #expect(second != first)
        #expect(eventually { !Processes.isRunning(Int32(first)) })
    }

    @Test
    func `the deadline of a call is kept when it gets a worker that no longer answers`() throws {
        let workers = pool { $0.healthCheckInterval = .zero }
        let process = workers.function("process", in: "hardships").blocking
        let first: Int = try process()
        kill(Int32(first), SIGSTOP)
        let start = ContinuousClock.now
        #expect(message { () throws(WorkerError) in let _: Int = try process.timeout(.milliseconds(50))() } == tooLong)
        #expect(.now - start < .milliseconds(600))
    }

    @Test
    func `a worker without its outputs still serves`() throws {
        let first: Int = try function("process")()
        try function("close_outputs")()
        #expect(try function("process")() == first)
    }

    @Test
    func `what a worker has started ends with it`() throws {
        let child: Int = try function("fork_sleeper")()
        #expect(Processes.isRunning(Int32(child)))
        _ = try end { () throws(WorkerError) in try function("leave")(1) }
        #expect(eventually { !Processes.isRunning(Int32(child)) })
    }

    // MARK: - Recycling

    @Test
    func `a worker is replaced after so many calls`() throws {
        let workers = pool { $0.recycling.calls = 3 }
        let process = workers.function("process", in: "hardships").blocking
        var seen: [Int] = []
        for _ in 0..<7 { seen.append(try process()) }
        #expect(seen[0] == seen[2] && seen[3] == seen[5])
        #expect(Set(seen).count == 3)
        #expect(eventually { workers.processIdentifiers == [Int32(seen[6])] })
    }

    @Test
    func `a worker is replaced when it has taken too much memory, and shared memory does not count`() throws {
        let workers = pool { $0.recycling.memory = 100 << 20 }
        let process = workers.function("process", in: "hardships").blocking
        let take = workers.function("take_memory", in: "hardships").blocking
        let fill = workers.function("fill", in: "working").blocking
        let first: Int = try process()
        try fill(try SharedBuffer<Double>(sharedMemoryCapacity: 20_000_000), 1)
        try take(1 << 20)
        #expect(try process() == first)
        try take(150 << 20)
        #expect(try process() != first)
    }

    // MARK: - Retries

    @Test
    func `a call that may be repeated is, when its worker ends`() throws {
        let file = TemporaryFile()
        #expect(try function("leave_once").idempotent()(file.path, 7) == 7)
    }

    @Test
    func `a call is repeated as often as it may be and no more`() throws {
        for retries in [0, 2] {
            let file = TemporaryFile()
            let error = try end { () throws(WorkerError) in
                try function("count_and_leave").idempotent(retries: retries)(file.path)
            }
            #expect(error.status == .exited(3))
            #expect(FileSystem.lines(of: file.path) == [Substring(String(repeating: "x", count: retries + 1))])
        }
    }

    @Test
    func `what Python raises is not repeated`() throws {
        let calls = Monitor(0)
        let callback = PythonCallback { () throws -> Void in
            calls.withLock { $0 += 1 }
            throw CancellationError()
        }
        let error = message { () throws(WorkerError) in try function("call").idempotent(retries: 5)(callback) }
        #expect(error == "PythonBridge.SwiftError: CancellationError()")
        #expect(calls.withLock { $0 } == 1)
    }

    // MARK: - Deadlines

    @Test(arguments: ["loop", "hold", "stop", "refuse_to_end", "chatter"])
    func `a deadline ends a worker whatever it does`(way: String) throws {
        let first: Int = try function("process")()
        let start = ContinuousClock.now
        #expect(
            message { () throws(WorkerError) in try function("hang_in").timeout(.milliseconds(500))(way) } == tooLong)
        #expect(.now - start < .seconds(2))
        #expect(!Processes.isRunning(Int32(first)))
        try expectReplacement(of: first)
    }

    @Test
    func `a worker is asked to end before it is killed`() throws {
        let workers = pool { $0.terminationGrace = .seconds(20) }
        let file = TemporaryFile()
        let script = TemporaryFile(
            """
            import signal, sys, time
            def sleep(path):
                def end(*_):
                    open(path, "x").close()
                    sys.exit(0)
                signal.signal(signal.SIGTERM, end)
                time.sleep(60)
            """, named: "ending.py")
        let sleep = try workers.function("sleep", inScript: script.path).blocking
        let start = ContinuousClock.now
        #expect(message { () throws(WorkerError) in try sleep.timeout(.milliseconds(500))(file.path) } == tooLong)
        #expect(FileSystem.exists(file.path))
        #expect(.now - start < .seconds(10))
    }

    @Test
    func `the deadline of a call counts while it waits for a worker`() async throws {
        let sleep = function("sleep")
        try await sleep.function(0)
        let long = Task { try await sleep.function(60) }
        try await Task.sleep(for: .milliseconds(200))
        let impatient = sleep.timeout(.milliseconds(200))
        let awaited = await message { () async throws(WorkerError) in try await impatient.function(0) }
        #expect(awaited == tooLong)
        #expect(wait(impatient) == tooLong)
        // Neither has waited until the other call was over.
        long.cancel()
        await #expect(throws: WorkerError.self) { try await long.value }
    }

    /// The error of a call that waits on this thread.
    private func wait(_ sleep: BlockingWorkerFunction) -> String? { message { () throws(WorkerError) in try sleep(0) } }

    @Test
    func `the deadline of a call is kept while a callback's call runs within it`() throws {
        let sleep = function("sleep")
        let callback = PythonCallback { () throws -> Void in try sleep(30) }
        let start = ContinuousClock.now
        #expect(
            message { () throws(WorkerError) in try function("call").timeout(.milliseconds(500))(callback) } == tooLong)
        #expect(.now - start < .seconds(5))
    }

    @Test
    func `a call that has no time left neither runs nor costs a worker`() throws {
        let first: Int = try function("process")()
        #expect(message { () throws(WorkerError) in let _: Int = try function("process").timeout(.zero)() } == tooLong)
        #expect(try function("process")() == first)
    }

    // MARK: - Cancellation

    @Test(arguments: ["loop", "hold", "stop", "refuse_to_end", "chatter"])
    func `a cancelled task's worker ends whatever it does`(way: String) async throws {
        let process = function("process")
        let hang = function("hang_in")
        let first: Int = try await process.function()
        let task = Task { await message { () async throws(WorkerError) in try await hang.function(way) } }
        try await Task.sleep(for: .milliseconds(300))
        let start = ContinuousClock.now
        task.cancel()
        #expect(await task.value == wasCancelled)
        #expect(.now - start < .seconds(2))
        #expect(try await process.function() != first)
    }

    @Test
    func `a cancelled task no longer waits for a worker, and costs none`() async throws {
        let (sleep, process) = (function("sleep"), function("process"))
        let first: Int = try await process.function()
        let long = Task { try await sleep.function(1.5) }
        try await Task.sleep(for: .milliseconds(200))
        let task = Task { await message { () async throws(WorkerError) in try await sleep.function(0) } }
        try await Task.sleep(for: .milliseconds(100))
        let start = ContinuousClock.now
        task.cancel()
        #expect(await task.value == wasCancelled)
        #expect(.now - start < .seconds(1))
        try await long.value
        #expect(try await process.function() == first)
    }

    @Test
    func `a cancelled task does not wait for a worker to start`() async throws {
        let script = TemporaryFile("#!/bin/sh\nexec sleep 60\n", isExecutable: true)
        let workers = pool { $0.python = .program(script.path) }
        let process = workers.function("process", in: "hardships").blocking
        let task = Task { await message { () async throws(WorkerError) in let _: Int = try await process.function() } }
        try await Task.sleep(for: .milliseconds(500))
        let started = workers.processIdentifiers
        #expect(started.count == 1)
        let start = ContinuousClock.now
        task.cancel()
        #expect(await task.value == wasCancelled)
        #expect(.now - start < .seconds(2))
        #expect(await eventually { workers.processIdentifiers.isEmpty })
    }

    @Test
    func `a task that is cancelled already runs nothing`() async throws {
        let process = function("process")
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return await message { () async throws(WorkerError) in let _: Int = try await process.function() }
        }
        #expect(await task.value == wasCancelled)
        #expect(workers.processIdentifiers.isEmpty)
    }

    @Test
    func `a cancellation that comes too late costs nobody else anything`() async throws {
        let (echo, process) = (function("echo"), function("process"))
        let _: Int = try await process.function()
        for round in 0..<300 {
            let task = Task { () async throws(WorkerError) -> Int in try await echo.function(round) }
            for _ in 0..<(round % 40) * 10 { await Task.yield() }
            task.cancel()
            do {
                #expect(try await task.value == round)
            } catch WorkerError.cancelled {}
            #expect(try await echo.function(round) == round)
        }
    }

    // MARK: - Shutdown

    @Test
    func `shutting down waits for the calls, and refuses later ones`() async throws {
        let workers = PythonWorkers(.test(count: 2))
        let (sleep, process) = (
            workers.function("sleep", in: "hardships").blocking, workers.function("process", in: "hardships").blocking
        )
        let processes = [try await process.function() as Int]
        let task = Task { await message { () async throws(WorkerError) in try await sleep.function(0.7) } }
        try await Task.sleep(for: .milliseconds(300))
        await workers.shutDown(within: .seconds(20))
        #expect(await task.value == nil)
        #expect(workers.processIdentifiers.isEmpty)
        for process in processes { #expect(Processes.state(of: Int32(process)) == nil) }
        for _ in 0..<2 {
            let error = await message { () async throws(WorkerError) in let _: Int = try await process.function() }
            #expect(error == "the workers were shut down")
            await workers.shutDown()
        }
    }

    @Test(arguments: ["loop", "hold", "stop", "refuse_to_end", "chatter"])
    func `shutting down ends the calls that take too long`(way: String) async throws {
        let workers = PythonWorkers(.test(count: 2))
        let process = workers.function("process", in: "hardships").blocking
        let hang = workers.function("hang_in", in: "hardships").blocking
        let number: Int = try await process.function()
        let task = Task { await message { () async throws(WorkerError) in try await hang.function(way) } }
        try await Task.sleep(for: .milliseconds(300))
        let start = ContinuousClock.now
        await workers.shutDown(within: .milliseconds(300))
        #expect(.now - start < .seconds(3))
        #expect(Processes.state(of: Int32(number)) == nil)
        let error = await task.value
        #expect(error == "the workers were shut down")
    }

    @Test
    func `a pool that is given up ends its workers`() throws {
        var process: Int32 = 0
        do {
            let workers = PythonWorkers(.test())
            process = Int32(try workers.function("process", in: "hardships").blocking() as Int)
        }
        #expect(eventually { Processes.state(of: process) == nil })
    }

    @Test
    func `pools leave no process, no descriptor, no thread and no memory`() async {
        await #expect(processExitsWith: .success) {
            alarm(100)
            let before = try Holdings.afterFirstPool()
            for round in 0..<5 {
                let workers = PythonWorkers(.test(count: 2))
                let memory = try SharedBuffer<Double>(sharedMemoryCapacity: 100_000)
                let fill = workers.function("fill", in: "working")
                try await fill(memory, Double(round))
                #expect(memory.allSatisfy { $0 == Double(round) })
                let hang = workers.function("hang_in", in: "hardships")
                _ = await failure { () async throws(WorkerError) in
                    try await hang.timeout(.milliseconds(200))(["loop", "stop", "hold"][round % 3])
                }
                let kill = workers.function("be_killed", in: "hardships")
                _ = await failure { () async throws(WorkerError) in try await kill(Int(SIGKILL)) }
                let many = [Double](repeating: 1, count: 50_000)
                #expect(try await workers.function("identity", in: "working")(many) == many)
                if round % 2 == 0 { await workers.shutDown() }
            }
            before.expectNothingSince()
        }
    }
}
