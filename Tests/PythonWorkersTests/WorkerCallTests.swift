import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

struct WorkerCallTests {
    let workers = PythonWorkers(.test())

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "working").blocking }

    @Test
    func `numbers, text, none and lists go there and come back`() throws {
        let identity = function("identity")
        let integers = [0, 1, -1, 127, 128, -32, -33, 1 << 40, .min, .max]
        for integer in integers { #expect(try identity(integer) == integer) }
        #expect(try identity(UInt64.max) == UInt64.max)
        for number in [0, -0.5, .pi, .infinity, -.infinity, .greatestFiniteMagnitude] {
            #expect(try identity(number) == number)
        }
        #expect((try identity(Double.nan) as Double).isNaN)
        #expect(try identity(Complex(1.0, -2)) == Complex(1.0, -2))
        for text in ["", "x", String(repeating: "ü", count: 40), String(repeating: "y", count: 300_000)] {
            #expect(try identity(text) == text)
        }
        #expect(try identity(true) == true)
        #expect(try identity(nil as Int?) == nil as Int?)
        #expect(try identity([1, 2, 3]) == [1, 2, 3])
        let many = (0..<200_000).map { Double($0) / 3 }
        #expect(try identity(many) == many)
        #expect(try identity([["a"], [], ["b", "c"]]) == [["a"], [], ["b", "c"]])
        #expect(try function("kind")([1.5]) == "list")
    }

    @Test
    func `a call that is repeated finds nothing that the one before it has changed`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 4)
        for _ in 0..<3 {
            #expect(try function("grow")([1, 2]) == 3)
            #expect(try function("grow")(keywords: ["list": [1, 2]]) == 3)
            #expect(try function("let_go")(buffer) == 32)
            #expect(try function("let_go")(keywords: ["view": buffer]) == 32)
        }
    }

    @Test
    func `a prepared call sees what the buffers hold then, in whatever worker`() async throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 3)
        let total = try function("total").function.prepared(buffer.readOnly, returning: Double.self)
        for value in [1.0, 2, 3] {
            buffer[1] = value
            #expect(try total.callAndWait() == value)
            #expect(try await total() == value)
            _ = failure { () throws(WorkerError) in try function("leave")(0) }
        }
        let add = try function("add").function.prepared(1, 2, returning: String.self)
        let mismatch = failure { () throws(WorkerError) in _ = try add.callAndWait() }
        #expect("\(try #require(mismatch))" == "expected String from Python, got int")
        let copied = SharedBuffer(sharing: [1.0])
        let refusal = failure { () throws(WorkerError) in
            _ = try function("total").function.prepared(copied, returning: Double.self)
        }
        #expect("\(try #require(refusal))" == "a prepared call takes shared memory alone, and no callback")
    }

    @Test
    func `what Python raises is thrown with its traceback and its causes`() throws {
        let error = failure { () throws(WorkerError) in try function("fail")("no luck") }
        guard case .python(.exception(let exception)) = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(exception.type == "RuntimeError")
        #expect(exception.message == "no luck")
        #expect(exception.causes.map(\.type) == ["ValueError"])
        #expect(exception.traceback.contains("working.py"))
        #expect(!exception.traceback.contains("<PythonWorkers>"))
        #expect(try function("add")(1, 2) == 3)
    }

    @Test
    func `a result of another type is a conversion error`() throws {
        let error = failure { () throws(WorkerError) in let _: Int = try function("identity")("text") }
        #expect("\(try #require(error))" == "expected Int from Python, got str")
    }

    @Test
    func `a shared buffer is mapped once and seen by both sides`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 1000)
        let (address, ledger) = try MemoryLedger.recording { try function("address")(buffer) as Int }
        #expect(ledger.bytesCopied == 0)
        #expect(ledger.bytesShared == 8000)
        #expect(try function("address")(buffer) == address)
        try function("fill")(buffer, 2.5)
        #expect(buffer.allSatisfy { $0 == 2.5 })
        buffer[7] = 10
        #expect(try function("total")(buffer.readOnly) == 2507.5)
        let error = failure { () throws(WorkerError) in try function("fill")(buffer.readOnly, 1) }
        #expect("\(try #require(error))".hasPrefix("ValueError"))
    }

    @Test
    func `memory of this process's own is copied once, and back if Python may write to it`() throws {
        let samples = SharedBuffer(sharing: [1.0, 2, 3])
        let (sum, ledger) = try MemoryLedger.recording { try function("total")(samples) as Double }
        #expect(sum == 6)
        #expect(ledger.bytesCopied == 24)
        var array = [1.0, 2, 3]
        try function("fill")(.lending(&array), 4)
        #expect(array == [4, 4, 4])
        let output = try SharedBuffer<Int>(capacity: 4)
        try function("fill")(output, 9)
        #expect(Array(output) == [9, 9, 9, 9])
    }

    @Test
    func `a lent array that Python keeps is an error`() throws {
        let error = failure { () throws(WorkerError) in try function("keep")(.lending([1.0, 2])) }
        guard case .python(.escape(let escape)) = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(escape.views.map(\.argument) == ["buffer"])
        #expect(try function("total")(.lending([1.0, 2])) == 3.0)
    }

    @Test
    func `an array that Python made comes as shared memory`() throws {
        let (buffer, ledger) = try MemoryLedger.recording { try function("give")(5) as SharedBuffer<Double> }
        #expect(Array(buffer) == [0, 1, 2, 3, 4])
        #expect(ledger.bytesCopied == 40)
        let (made, onDemand) = try MemoryLedger.recording {
            try function("allocate")(BufferAllocator<Int>(), 6) as SharedBuffer<Int>
        }
        #expect(Array(made) == [0, 1, 2, 3, 4, 5])
        #expect(onDemand.bytesCopied == 0)
        #expect(onDemand.bytesOnDemand == 48)
    }

    @Test
    func `Python calls Swift back`() throws {
        let seen = Monitor<[Int]>([])
        let callback = PythonCallback { (value: Int) -> Double in
            seen.withLock { $0.append(value) }
            return Double(value) / 2
        }
        #expect(try function("apply")(callback, 5) == 2.5)
        #expect(seen.withLock { $0 } == [5])
    }

    struct Mishap: Error, Equatable { let number: Int }

    @Test
    func `what a callback throws comes back as the same value`() throws {
        let callback = PythonCallback { (value: Int) throws -> Void in throw Mishap(number: value) }
        let error = failure { () throws(WorkerError) in try function("apply")(callback, 3) }
        guard case .python(.exception(let exception)) = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(exception.swiftError as? Mishap == Mishap(number: 3))
        #expect(exception.type == "PythonBridge.SwiftError")
        #expect(try function("apply_catching")(callback, 1) == "PythonBridge.SwiftError: Mishap(number: 1)")
    }

    @Test
    func `a callback may call the worker that waits for it`() throws {
        let add = function("add")
        let callback = PythonCallback { (value: Int) throws -> Int in try add(value, 1) }
        #expect(try function("apply")(callback, 1) == 2)
    }

    @Test
    func `a worker that crashes costs its call an error, and is replaced`() throws {
        let first: Int = try function("process")()
        let error = failure { () throws(WorkerError) in try function("crash")() }
        guard case .ended(let end) = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(end.status == .signalled(SIGSEGV))
        #expect(end.standardErrorTail.contains("about to crash"))
        #expect(try function("process")() != first)
    }

    @Test
    func `a deadline ends the worker`() throws {
        let start = ContinuousClock.now
        let error = failure { () throws(WorkerError) in try function("sleep").timeout(.milliseconds(300))(60) }
        guard case .deadlineExceeded = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(.now - start < .seconds(10))
        #expect(try function("add")(1, 2) == 3)
    }

    @Test
    func `a task's cancellation ends its call`() async throws {
        let sleep = function("sleep")
        let task = Task { () async -> WorkerError? in
            await failure { () async throws(WorkerError) in try await sleep.function(60) }
        }
        try await Task.sleep(for: .milliseconds(500))
        task.cancel()
        guard case .cancelled = await task.value else {
            Issue.record("it was not cancelled")
            return
        }
        #expect(try await function("add").function(1, 2) == 3)
    }
}
