import Glibc
import PythonBridge
import Testing

/// What a stop waits for, what it refuses, and how a process ends with calls under way. Each in a process of its own.
@Suite(.timeLimit(.minutes(15))) struct StopTests {
    static func function(_ name: String) throws(PythonError) -> PythonFunction {
        try TestPython.fixture(name, in: "stopping")
    }

    static func expectRefusal(
        _ error: PythonError?, _ reasons: String..., at location: SourceLocation = #_sourceLocation
    ) {
        guard case .interpreter(let reason) = error else {
            Issue.record("\(String(describing: error))", sourceLocation: location)
            return
        }
        for expected in reasons { #expect(reason.contains(expected), sourceLocation: location) }
    }

    // MARK: - What a stop waits for

    @Test func `a stop waits for a call of another thread`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let nap = try Self.function("nap")
            let (begun, ended) = (Counter(), Counter())
            startThread {
                begun.add(1)
                let outcome: String = try nap()
                if outcome == "rested" { ended.add(1) }
            }
            begun.wait(for: 1)
            usleep(50_000)
            try python.stop()
            ended.wait(for: 1)
        }
    }

    @Test func `what is inside may go on while a stop waits, and nobody else comes in`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let hold = try Self.function("hold")
            let prepared = try hold.prepared(PythonCallback { 1 })
            let (inside, mayEnd, sums, stopped) = (Counter(), Counter(), Counter(), Counter())
            startThread {
                let sum: Int = try hold(
                    PythonCallback { () -> Int in
                        inside.add(1)
                        mayEnd.wait(for: 1)
                        let lent: Int = try python.function("sum", in: "builtins")(.lending([40, 1]))
                        return lent + (try prepared() as Int)
                    })
                sums.add(sum)
            }
            inside.wait(for: 1)
            startThread {
                try python.stop()
                stopped.add(1)
            }
            while thrown({ try python.run("pass") }) == nil {}
            try onNewThreads(4) { _ in
                #expect(thrown { try python.run("pass") }?.isNotRunning == true)
                #expect(thrown { let _: Int = try prepared() }?.isNotRunning == true)
                #expect(thrown { let _: Int = try hold(.lending([1])) }?.isNotRunning == true)
            }
            #expect(stopped.value == 0)
            mayEnd.add(1)
            stopped.wait(for: 1)
            sums.wait(for: 42)
            #expect(!PythonInterpreter.isRunning)
        }
    }

    @Test func `a deadline ends a call that a stop waits for`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let spin = try Self.function("spin")
            for _ in 0..<20 {
                let again = try TestPython.start()
                let spin = try Self.function("spin")
                let (begun, ended) = (Counter(), Counter())
                startThread {
                    let error = thrown {
                        try again.withDeadline(.now + .milliseconds(20)) { try spin(PythonCallback { begun.add(1) }) }
                    }
                    if case .deadlineExceeded = error { ended.add(1) }
                    begun.add(1)  // the deadline may come before the callback
                }
                begun.wait(for: 1)
                try again.stop()
                ended.wait(for: 1)
            }
            #expect(
                thrown {
                    try python.run("pass"); try spin()
                }?.isNotRunning == true)
        }
    }

    @Test func `a stop that runs out of time says what runs where, and Python goes on`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let hold = try Self.function("hold")
            let (inside, mayEnd, ended) = (Counter(), Counter(), Counter())
            for _ in 0..<2 {
                startThread {
                    try hold(
                        PythonCallback {
                            inside.add(1)
                            mayEnd.wait(for: 1)
                        })
                    ended.add(1)
                }
            }
            inside.wait(for: 2)
            let refused = Counter()
            startThread {
                while thrown({ try python.run("pass") }) == nil {}
                refused.add(1)
                // One that is just being refused would be seen as a third thread inside.
                while thrown({ try python.run("pass") }) != nil { usleep(20_000) }
                refused.add(1)
            }
            let error = thrown { try python.stop(within: .milliseconds(200)) }
            Self.expectRefusal(error, "2 threads are in Python", "hold", "stopping.py", "line 15")
            refused.wait(for: 2)
            try onNewThreads(2) { _ in try python.run("pass") }
            mayEnd.add(1)
            ended.wait(for: 2)
            try python.stop(within: .seconds(60))
            #expect(!PythonInterpreter.isRunning)
        }
    }

    @Test func `Python does not start again while a daemon thread of the last one is there`() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<3 {
                let python = try PythonInterpreter.start()
                try python.run(
                    """
                    import threading, time
                    def loop():
                        while True: time.sleep(0.5)
                    threading.Thread(target=loop, daemon=True).start()
                    """)
                try python.stop()
                let error = thrown { _ = try PythonInterpreter.start() }
                #expect(error?.description.contains("daemon thread") == true)
                // It ends when it wants the GIL.
                while thrown({ _ = try PythonInterpreter.start() }) != nil { sleepBriefly() }
            }
        }
    }

    @Test func `what the program registered for its end may call Python`() async {
        await #expect(processExitsWith: .exitCode(3)) {
            try TestPython.start().run("answer = 42")
            atexit {
                let answer: Int? = try? TestPython.start().evaluate("answer")
                if answer == 42 { _exit(3) }
            }
            exit(0)
        }
    }

    @Test func `a stop is not held up by code that keeps the GIL`() async {
        await #expect(processExitsWith: .success) {
            let python = try PythonInterpreter.start()
            let (begun, ended) = (Counter(), Counter())
            startThread {
                python.attached { _ in
                    begun.add(1)
                    while ended.value == 0 { sleepBriefly() }
                }
            }
            while begun.value == 0 { sleepBriefly() }
            let error = thrown { try python.stop(within: .milliseconds(20)) }
            #expect(error?.description.contains("holds the GIL") == true)
            ended.add(1)
            try python.stop()
        }
    }

    @Test func `a stop that runs out of time names a function in C`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let error = thrown {
                repeat {  // until the thread is in time
                    let sleep = try TestPython.start().function("sleep", in: "time")
                    startThread { try sleep(60.0) }
                    usleep(10_000)
                    try TestPython.start().stop(within: .milliseconds(50))
                } while true
            }
            Self.expectRefusal(error, "1 thread is in Python", "a function in C")
            try TestPython.start().run("pass")
            exit(0)
        }
    }

    // MARK: - What a stop refuses

    @Test func `a stop within a call, an attached block or a callback throws`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let hold = try Self.function("hold")
            let stop: @Sendable () -> String = { thrown { try python.stop() }?.description ?? "it stopped" }
            let reason = "Python cannot be stopped within a call, an attached block or a callback"
            #expect(python.attached { _ in stop() } == reason)
            let inCallback: String = try hold(PythonCallback { stop() })
            #expect(inCallback == reason)
            let onPythonsThread: String = try Self.function("on_thread")(PythonCallback { stop() })
            #expect(onPythonsThread == "'\(reason)'")
            let deep = python.attached { _ in thrown { let _: String = try hold(PythonCallback { stop() }) } }
            #expect(deep == nil)
            try python.stop()
            #expect(!PythonInterpreter.isRunning)
        }
    }

    @Test func `several threads may stop Python at once, while others call`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            for _ in 0..<10 {
                let python = try TestPython.start()
                let hold = try Self.function("hold")
                try onNewThreads(12) { index in
                    if index < 6 { return try python.stop() }
                    while true {
                        let error = thrown { let _: Int = try hold(PythonCallback { index }) }
                        guard let error else { continue }
                        #expect(error.isNotRunning, "\(error)")
                        break
                    }
                }
                #expect(!PythonInterpreter.isRunning)
            }
        }
    }

    // MARK: - What outlives it

    @Test func `executors, actors' threads and prepared calls outlive a stop`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let hold = try Self.function("hold")
            let executor = try PythonExecutor(threads: 2)
            let callback = PythonCallback { 7 }
            let allocator = BufferAllocator<Int>()
            let prepared = try hold.prepared(callback)
            let kept: PythonObject = try python.evaluate("[1]")
            let first: Int = try await executor.run { try prepared() }
            #expect(first == 7)
            let thread = try PythonThread()
            let second = await Task(executorPreference: thread) { try? prepared() as Int }.value
            #expect(second == 7)
            try python.stop()
            func expectInert(_ prepared: PreparedCall) async {
                let error = await #expect(throws: PythonError.self) { try await executor.run { try prepared() } }
                #expect(error?.isNotRunning == true)
                #expect(
                    await Task(executorPreference: thread) { thrown { try prepared() } }.value?.isNotRunning == true)
                #expect(thrown { let _: Int = try hold(callback) }?.isNotRunning == true)
                #expect(thrown { let _: Int = try hold(allocator) }?.isNotRunning == true)
                #expect(thrown { _ = try hold.prepared(1) }?.isNotRunning == true)
                #expect(python.attached { _ in thrown { _ = try kept.typeName } }?.isNotRunning == true)
            }
            await expectInert(prepared)
            let again = try TestPython.start()
            await expectInert(prepared)
            let newHold = try Self.function("hold")
            let newPrepared = try newHold.prepared(callback)
            let third: Int = try await executor.run { try newPrepared() }
            #expect(third == 7)
            let fourth = await Task(executorPreference: thread) { try? newPrepared() as Int }.value
            #expect(fourth == 7)
            let error = thrown { let _: Int = try newHold.call([kept]) }
            #expect(error?.isNotRunning == true)
            try again.stop()
            await expectInert(newPrepared)
        }
    }

    @Test func `a thread that kept its state and lends go on after every restart`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let (rounds, answers) = (Counter(), Counter())
            startThread {
                for round in 1...5 {
                    rounds.wait(for: round)
                    let sum = try TestPython.start().function("sum", in: "builtins")
                    for _ in 0..<50 {
                        let three: Int = try sum(.lending([1, 2]))
                        let both: Int = try sum.call([SharedBuffer<Int>(contentsOf: [three, 4])])
                        #expect(both == 7)
                    }
                    answers.add(1)
                }
            }
            for round in 1...5 {
                let python = try TestPython.start()
                rounds.add(1)
                answers.wait(for: round)
                try python.stop()
            }
            let ledger = MemoryLedger.total
            #expect(ledger.exportersAlive == 0)
            #expect(ledger.viewsOpen == 0)
        }
    }

    @Test func `a stop waits for a callback of a daemon thread of Python's own`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let (inside, mayEnd, ended) = (Counter(), Counter(), Counter())
            try Self.function("on_daemon")(
                PythonCallback {
                    inside.add(1)
                    mayEnd.wait(for: 1)
                    try python.run("answer = 42")
                    ended.add(1)
                })
            inside.wait(for: 1)
            Self.expectRefusal(thrown { try python.stop(within: .milliseconds(100)) }, "1 thread is in Python")
            startThread {
                while thrown({ try python.run("pass") }) == nil {}
                mayEnd.add(1)
            }
            try python.stop()
            #expect(ended.value == 1)
        }
    }

    @Test func `threads of Python's own call closures, and end`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            struct Refusal: Error {}
            let python = try TestPython.start()
            let onThread = try Self.function("on_thread")
            let count = try Self.function("thread_count")
            let calls = Counter()
            for round in 0..<50 {
                let sum = PythonCallback { () -> Int in
                    calls.add(1)
                    return try python.function("sum", in: "builtins")(.lending([round, 1]))
                }
                let outcome: String = try onThread(sum)
                #expect(outcome == "\(round + 1)")
                let refuse = PythonCallback { () -> Int in throw Refusal() }
                let refusal: String = try onThread(refuse)
                #expect(refusal == "SwiftError: Refusal()")
                try Self.function("leave_to_thread")(refuse)
                let threads: Int = try count()
                #expect(threads == 1)
            }
            #expect(calls.value == 50)
            let unraised: [String] = try Self.function("names_unraised")()
            #expect(unraised == Array(repeating: "SwiftError", count: 50))
            try python.stop()
        }
    }

    // MARK: - exit()

    /// What is under way when a process ends.
    enum Work: String, CaseIterable, Codable, Sendable {
        case python, sleep, callback, attached, executor
        /// These do not let go of the GIL.
        case sum, gilKept

        func begin() async throws {
            let python = try TestPython.start()
            let begun = Counter()
            let note = PythonCallback { begun.add(1) }
            switch self {
            case .python: startThread { try StopTests.function("spin")(note) }
            case .sum: startThread { try StopTests.function("add_up")(note) }
            case .sleep: startThread { try StopTests.function("sleep_in_c")(note, false) }
            case .gilKept: startThread { try StopTests.function("sleep_in_c")(note, true) }
            case .callback:
                let wait = PythonCallback {
                    begun.add(1)
                    while true { sleepBriefly() }
                }
                startThread { try StopTests.function("hold")(wait) }
            case .attached:
                let spin = try StopTests.function("spin")
                startThread { try python.attached { _ throws(PythonError) in try spin(note) } }
            case .executor:
                let executor = try PythonExecutor(threads: 4, capacity: 8)
                let spin = try StopTests.function("spin")
                for _ in 0..<50 { Task { try await executor.run { try spin(note) } } }
            }
            begun.wait(for: self == .executor ? 4 : 1)
        }
    }

    @Test(arguments: Work.allCases.dropLast(2))
    func `exit ends a process with its own code, whatever is under way`(work: Work) async {
        for round in 0..<8 {
            await #expect(processExitsWith: .exitCode(23)) { [work = work as Work, round = round as Int] in
                alarm(60)
                try await work.begin()
                switch round % 4 {
                case 0: exit(23)
                case 1: try onNewThreads { _ in exit(23) }
                case 2: try TestPython.start().attached { _ -> Void in exit(23) }
                default: try Self.function("hold")(PythonCallback { () -> Void in exit(23) })
                }
            }
        }
    }

    @Test(arguments: Work.allCases.suffix(2), [false, true])
    func `exit ends a process when code in C keeps the GIL`(work: Work, isOnOwnThread: Bool) async {
        await #expect(processExitsWith: .exitCode(23)) { [work = work as Work, isOnOwnThread = isOnOwnThread as Bool] in
            alarm(40)
            try await work.begin()
            if !isOnOwnThread { exit(23) }
            try onNewThreads { _ in exit(23) }
        }
    }

    @Test func `a fatal error of Python ends the process`() async {
        await #expect(processExitsWith: .signal(SIGABRT)) {
            try Self.function("fatal_error")()
        }
    }
}

extension Counter {
    /// Waits until it has come to `value`.
    func wait(for value: Int) {
        while self.value < value { sleepBriefly() }
    }
}
