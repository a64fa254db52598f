import PythonBridge
import Testing

@testable import PythonWorkers

/// Swift closures that workers call.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerCallbackTests {
    let workers = PythonWorkers(.test())

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "hardships").blocking }

    func working(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "working").blocking }

    let double = PythonCallback { (value: Int) -> Int in 2 * value }

    @Test
    func `arguments and results of a callback are of any kind`() throws {
        let call = working("apply")
        #expect(try call(PythonCallback { () -> Int in 7 }) == 7)
        #expect(
            try call(PythonCallback { (text: String, number: Double) -> String in "\(text) \(number)" }, "x", 0.5)
                == "x 0.5")
        #expect(try call(PythonCallback { (numbers: [Double]) -> Double in numbers.reduce(0, +) }, [1.0, 2]) == 3.0)
        #expect(try call(PythonCallback { (value: Int?) -> Bool in value == nil }, nil as Int?) == true)
        let long = String(repeating: "z", count: 100_000)
        #expect(try call(PythonCallback { (text: String) -> String in text + text }, long) == long + long)
        let many = Array(0..<20_000)
        #expect(
            try call(PythonCallback { (numbers: [Int]) -> [Int] in numbers.reversed() }, many) == Array(many.reversed())
        )
    }

    @Test
    func `a callback is given the memory itself, and returns memory itself`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 3)
        let write = PythonCallback { (given: SharedBuffer<Double>) in given[1] = 4 }
        let (_, given) = try MemoryLedger.recording { try working("apply")(write, buffer) }
        #expect(Array(buffer) == [0, 4, 0])
        #expect(given.bytesCopied == 0)
        let give = PythonCallback { () -> SharedBuffer<Double> in buffer }
        let (back, returned) = try MemoryLedger.recording { try working("apply")(give) as SharedBuffer<Double> }
        back[0] = 9
        #expect(buffer[0] == 9)
        #expect(returned.bytesCopied == 0)
        let new = PythonCallback { () throws -> SharedBuffer<Double> in
            let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 2)
            buffer[0] = 1
            return buffer
        }
        #expect(Array(try working("apply")(new) as SharedBuffer<Double>) == [1, 0])
    }

    @Test
    func `callbacks and calls go into one another`() throws {
        let call = function("call")
        @Sendable func countdown(_ number: Int) -> PythonCallback {
            PythonCallback { () throws -> Int in number == 0 ? 0 : 1 + (try call(countdown(number - 1))) }
        }
        #expect(try call(countdown(20)) == 20)
        let process: Int = try function("process")()
        let ask = PythonCallback { [process = function("process")] () throws -> Int in try process() }
        #expect(try call(ask) == process)
    }

    @Test
    func `an exception goes through callbacks and calls as itself`() throws {
        let fail = working("fail")
        let callback = PythonCallback { () throws -> Void in try fail("deep") }
        let exception = try exception { () throws(WorkerError) in try working("apply")(callback) }
        #expect(exception.type == "RuntimeError" && exception.message == "deep")
        #expect(exception.causes.map(\.type) == ["ValueError"])
    }

    @Test
    func `threads of Python's call Swift too`() throws {
        let seen = Monitor<[Int]>([])
        let add = function("echo")
        let callback = PythonCallback { (value: Int) throws -> Int in
            seen.withLock { $0.append(value) }
            return try add(2 * value)
        }
        #expect(try function("call_on_threads")(callback, 8) == (0..<8).map { 2 * $0 })
        #expect(seen.withLock { $0.sorted() } == Array(0..<8))
    }

    @Test
    func `a call waits for the callback's call that a thread of it has begun`() throws {
        let sleep = function("sleep")
        let seen = Monitor(0)
        let callback = PythonCallback { (value: Int) throws -> Int in
            try sleep(0.5)
            seen.withLock { $0 = value }
            return value
        }
        #expect(try function("call_on_thread_left_behind")(callback, 5) == 5)
        #expect(seen.withLock { $0 } == 5)
        #expect(try function("echo")(6) == 6)
    }

    @Test
    func `after its call a callback raises`() throws {
        let process: Int = try function("process")()
        let call = function("call_kept_catching")
        let refusal = "RuntimeError: the call that passed this Swift function has ended"
        // From the second time on it is the same packet, so that the worker has what it says at hand.
        for _ in 0..<3 {
            try function("keep_function")(PythonCallback { () -> Int in 1 })
            #expect(try call() == refusal)
            try function("keep_function")(BufferAllocator<Int>())
            #expect(try call(3) == refusal)
        }
        #expect(try function("process")() == process)
    }

    @Test
    func `what a callback cannot be called with raises in Python`() throws {
        let call = function("call")
        for (error, expected) in [
            (
                message { () throws(WorkerError) in try call(double) },
                "TypeError: expected one argument from Python, got 0"
            ),
            (
                message { () throws(WorkerError) in try call(double, 1, 2) },
                "TypeError: expected one argument from Python, got 2"
            ),
            (
                message { () throws(WorkerError) in try call(double, "x") },
                "TypeError: argument 1 of a Swift function cannot be str"
            ),
        ] {
            #expect(error == expected)
        }
        #expect(try call(double, 4) == 8)
    }

    @Test
    func `lent memory that Python keeps is named by its parameter`() throws {
        let error = failure { () throws(WorkerError) in try working("keep")(.lending([1.0])) }
        guard case .python(.escape(let escape)) = error else {
            Issue.record("threw something else")
            return
        }
        #expect(escape.views.map(\.argument) == ["buffer"])
        #expect(try working("kept_total")() == 1.0)
        try working("drop")()
    }
}
