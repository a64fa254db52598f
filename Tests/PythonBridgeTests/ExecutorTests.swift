import Glibc
import PythonBridge
import Testing

/// Tasks that await calls of Python.
@Suite struct ExecutorTests {
    let python: PythonInterpreter
    let identity: PythonFunction

    init() throws {
        python = try TestPython.start()
        identity = try TestPython.fixture("identity", in: "values")
    }

    @Test func `results and errors come back`() async throws {
        let executor = try PythonExecutor()
        let identity = identity
        let number: Int = try await executor.run { try identity(42) }
        #expect(number == 42)
        await #expect(throws: PythonError.self) {
            let _: Int = try await executor.run { try identity("text") }
        }
    }

    @Test func `many tasks get their own answers`() async throws {
        let executor = try PythonExecutor(threads: 3, capacity: 5)
        let identity = identity
        let answers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for index in 0..<500 {
                group.addTask {
                    (index, try await executor.run { try identity(index) })
                }
            }
            return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
        }
        #expect(answers.count == 500)
        #expect(answers.allSatisfy { $0 == $1 })
    }

    @Test func `no more calls are under way or wait than there is room for`() async throws {
        let executor = try PythonExecutor(threads: 4, capacity: 2)
        let (running, most) = (Counter(), Peak())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await executor.run {
                        running.add(1)
                        most.note(running.value)
                        sleepBriefly()
                        running.add(-1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect((1...2).contains(most.value))
    }

    @Test func `a cancelled task ends the Python code that it runs`() async throws {
        let executor = try PythonExecutor()
        let spin = try TestPython.fixture("spin", in: "interruptions")
        let begun = Counter()
        let task = Task {
            try await executor.run {
                begun.add(1)
                try spin()
            }
        }
        while begun.value == 0 { await Task.yield() }
        task.cancel()
        let error = await #expect(throws: PythonError.self) { try await task.value }
        guard case .cancelled = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let number = try await executor.run { [identity] in try identity(1) as Int }
        #expect(number == 1)
    }

    @Test func `a cancelled task gives its place up while it waits`() async throws {
        let executor = try PythonExecutor(threads: 1, capacity: 1)
        let gate = Counter()
        let first = Task {
            try await executor.run { while gate.value == 0 { sleepBriefly() } }
        }
        let waiting = (0..<10).map { _ in
            Task { try await executor.run { Issue.record("a cancelled call was begun") } }
        }
        for task in waiting { task.cancel() }
        for task in waiting { await #expect(throws: PythonError.self) { try await task.value } }
        gate.add(1)
        try await first.value
        let last = try await executor.run { "there is room" }
        #expect(last == "there is room")
    }

    @Test func `a deadline ends a call`() async throws {
        let executor = try PythonExecutor()
        let spin = try TestPython.fixture("spin", in: "interruptions")
        let error = await #expect(throws: PythonError.self) {
            try await executor.run(deadline: .now + .milliseconds(30)) { try spin() }
        }
        guard case .deadlineExceeded = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [1, 2])
    func `a call that waits is given up at its deadline, and when it is cancelled`(capacity: Int) async throws {
        let executor = try PythonExecutor(threads: 1, capacity: capacity)
        let gate = Counter()
        let first = Task {
            try await executor.run {
                gate.add(1)
                while gate.value < 2 { sleepBriefly() }
            }
        }
        while gate.value == 0 { await Task.yield() }
        // The first call ends only after both have been given up.
        let late = await #expect(throws: PythonError.self) {
            try await executor.run(deadline: .now + .milliseconds(20)) { Issue.record("a late call was begun") }
        }
        let cancelled = Task { try await executor.run { Issue.record("a cancelled call was begun") } }
        cancelled.cancel()
        let error = await #expect(throws: PythonError.self) { try await cancelled.value }
        guard case .deadlineExceeded = late, case .cancelled = error else {
            Issue.record("\(String(describing: late)), \(String(describing: error))")
            return
        }
        gate.add(1)
        try await first.value
        #expect(try await executor.run { 42 } == 42)
    }

    @Test func `a task that prefers the executor runs on its threads`() async throws {
        let executor = try PythonExecutor()
        let first = await Task(executorPreference: executor) { threadIdentity() }.value
        let second = await Task(executorPreference: executor) { threadIdentity() }.value
        #expect(first == second)
        let own = try await executor.run { threadIdentity() }
        #expect(first == own)
    }

    @Test func `an actor lives on a thread`() async throws {
        let actor = Resident(try PythonThread(), identity)
        let threads = try await withThrowingTaskGroup(of: UInt.self) { group in
            for index in 0..<100 { group.addTask { try await actor.visit(index) } }
            return try await group.reduce(into: Set<UInt>()) { $0.insert($1) }
        }
        #expect(threads.count == 1)
        #expect(await actor.visits == 100)
    }

    actor Resident {
        private let thread: PythonThread
        private let identity: PythonFunction
        private(set) var visits = 0

        init(_ thread: PythonThread, _ identity: PythonFunction) {
            (self.thread, self.identity) = (thread, identity)
        }

        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

        func visit(_ number: Int) throws -> UInt {
            guard try identity(number) as Int == number else { throw PythonError.notRunning }
            visits += 1
            return threadIdentity()
        }

        /// Python calls back on the same thread, where the compiler sees no isolation.
        func assume() throws -> Int {
            let call = try TestPython.fixture("apply", in: "callbacks")
            return try call(PythonCallback { self.assumeIsolated { $0.visits } })
        }
    }

    @Test func `an actor's own code may assume that it is on its thread`() async throws {
        let actor = Resident(try PythonThread(), identity)
        #expect(try await actor.assume() == 0)
    }

    @Test func `the closure's own errors come back`() async throws {
        let executor = try PythonExecutor()
        await #expect(throws: CancellationError.self) { try await executor.run { throw CancellationError() } }
    }

    @Test func `an executor's threads are not blocked by a call that waits for its tasks`() async throws {
        let executor = try PythonExecutor(threads: 2)
        let meet = try TestPython.fixture("meet", in: "threads")
        let barrier: PythonObject = try python.evaluate("__import__('threading').Barrier(2)")
        async let first: Int = executor.run { try meet(barrier) }
        async let second: Int = executor.run { try meet(barrier) }
        #expect(try await Set([first, second]) == [0, 1])
    }

    @Test func `threads end with the executor`() async {
        await #expect(processExitsWith: .success) {
            _ = try TestPython.start()
            func threads() -> Int { entries(of: "/proc/self/task") }
            do { try await PythonExecutor(threads: 2).run {} }
            let before = threads()
            for _ in 0..<50 { try await PythonExecutor(threads: 4).run {} }
            while threads() > before { sleepBriefly() }
        }
    }
}

/// The greatest of the values that were noted.
private final class Peak: Sendable {
    private let counter = Counter()
    var value: Int { counter.value }
    func note(_ value: Int) { counter.raise(to: value) }
}

private func threadIdentity() -> UInt { UInt(bitPattern: Int(pthread_self())) }
