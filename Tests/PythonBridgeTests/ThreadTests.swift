import Glibc
import PythonBridge
import Testing

/// Any thread and any task may call.
@Suite(.timeLimit(.minutes(15))) struct ThreadTests {
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
    }

    static func threads(_ function: String) throws -> PythonFunction {
        try TestPython.fixture(function, in: "threads")
    }

    @Test func `many threads at once each get their own result`() throws {
        let sum = try Self.threads("sum_all")
        try onNewThreads(24) { index in
            for round in 0..<100 {
                var output = [index, round, 1]
                let total: Int = try sum(.lending(&output))
                #expect(total == index + round + 1)
            }
        }
    }

    @Test func `many tasks at once each get their own result`() async throws {
        let sum = try Self.threads("sum_all")
        let totals = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let first: Int = try sum(.lending([index, 1]))
                    await Task.yield()
                    let second: Int = try sum(try SharedBuffer<Int>(contentsOf: [index, 2]))
                    return second - first
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(totals == 200)
    }

    @Test func `threads wait for one another within Python`() throws {
        let barrier: PythonObject = try python.evaluate("__import__('threading').Barrier(8)")
        let meet = try Self.threads("meet")
        try onNewThreads(8) { _ in
            let place: Int = try meet(barrier)
            #expect((0..<8).contains(place))
        }
    }

    @Test func `the GIL is free after start`() async {
        await #expect(processExitsWith: .success) {
            _ = try TestPython.start()
            try onNewThreads { _ in
                let sum: Int = try TestPython.fixture("sum_all", in: "threads")([1, 2])
                #expect(sum == 3)
            }
        }
    }

    @Test func `a thread keeps its thread state from call to call`() throws {
        try onNewThreads(4) { _ in
            let calls = try Self.threads("count_calls")
            let identity = try Self.threads("identity")
            let first: Int = try identity()
            let counts: [Int] = [try calls(), try calls(), try calls()]
            let last: Int = try identity()
            #expect(counts == [1, 2, 3])
            #expect(first == last)
        }
    }

    @Test func `what a thread kept in Python goes when the thread ends`() throws {
        try onNewThreads(4) { index in try Self.threads("leave_witness")("thread \(index)") }
        for index in 0..<4 {
            let ended: Bool = try Self.threads("has_ended")("thread \(index)")
            #expect(ended)
        }
    }

    @Test func `thread states do not pile up`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("state_count", in: "threads")
            let before: Int = try count()
            for _ in 0..<10 { try onNewThreads(10) { _ in try count() } }
            let after: Int = try count()
            #expect(after == before)
        }
    }

    @Test func `a thread that Python started does not disturb the bridge`() throws {
        let doubled: Int = try Self.threads("run_elsewhere")(21)
        #expect(doubled == 42)
    }

    @Test func `a handle released on a thread that never called is released by the next call`() throws {
        let probe = try Self.threads("Probe")
        let box = Box(try probe("handle") as PythonObject)
        let before: Bool = try Self.threads("is_alive")("handle")
        #expect(before)
        try onNewThreads { _ in box.object = nil }
        let after: Bool = try Self.threads("is_alive")("handle")
        #expect(!after)
    }

    @Test func `handles released on many threads at once are all released`() throws {
        let probe = try Self.threads("Probe")
        let boxes = try (0..<64).map { Box(try probe("handle \($0)") as PythonObject) }
        try onNewThreads(64) { index in boxes[index].object = nil }
        for index in 0..<64 {
            let isAlive: Bool = try Self.threads("is_alive")("handle \(index)")
            #expect(!isAlive)
        }
    }

    @Test func `shared memory outlives every thread that held it`() throws {
        let keep = try TestPython.memory("keep_array")
        try onNewThreads { _ in try keep(try SharedBuffer<Int>(contentsOf: [1, 2, 3]), "from a thread") }
        let values: [Int] = try TestPython.memory("kept_values")("from a thread")
        #expect(values == [1, 2, 3])
        try TestPython.memory("forget")("from a thread")
    }

    @Test func `the process may end while threads are in Python`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            let inside: PythonObject = try python.evaluate("__import__('threading').Semaphore(0)")
            try python.run(
                """
                def thread_stay(inside):
                    inside.release()
                    while True:
                        sum(range(1000))
                """)
            let stay = try python.function("thread_stay", in: "__main__")
            for _ in 0..<4 { startThread { try stay(inside) } }
            let acquire = try inside.function("acquire")
            for _ in 0..<4 { try acquire() }
            exit(0)
        }
    }

    @Test func `the process may end while threads keep calling`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            let calls: PythonObject = try python.evaluate("__import__('threading').Semaphore(0)")
            let release = try calls.function("release")
            for _ in 0..<4 { startThread { while true { try release() } } }
            let acquire = try calls.function("acquire")
            for _ in 0..<1000 { try acquire() }
            exit(0)
        }
    }
}

/// A reference that one thread hands to another.
private final class Box: @unchecked Sendable {
    var object: PythonObject?

    init(_ object: PythonObject) { self.object = object }
}
