import PythonBridge
import Testing

@testable import PythonWorkers

/// Wrong use, and what it is told in one line.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerMisuseTests {
    let workers = PythonWorkers(.test())

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "working").blocking }

    func expect(_ message: String?, _ start: String) {
        #expect(message?.hasPrefix(start) == true, "\(message ?? "nothing was thrown")")
        #expect(message?.contains("\n") == false)
    }

    @Test
    func `a module or function that is not there is named`() throws {
        let process: Int = try function("process")()
        for _ in 0..<2 {
            let module = workers.function("f", in: "no_such_module").blocking
            expect(
                message { () throws(WorkerError) in try module() },
                "ModuleNotFoundError: No module named 'no_such_module'")
            expect(
                message { () throws(WorkerError) in try function("no_such")() },
                "AttributeError: module 'working' has no attribute 'no_such'")
            expect(
                message { () throws(WorkerError) in try function("answer")() },
                "TypeError: 'answer' is not callable: it is of type int")
            expect(
                message { () throws(WorkerError) in try workers.function("", in: "").blocking() },
                "ValueError: Empty module name")
        }
        #expect(try function("process")() == process)
    }

    @Test
    func `arguments that the function does not take are Python's error`() {
        expect(
            message { () throws(WorkerError) in try function("add")(1) },
            "TypeError: add() missing 1 required positional argument: 'b'")
        expect(
            message { () throws(WorkerError) in try function("add")(1, keywords: ["c": 2]) },
            "TypeError: add() got an unexpected keyword argument 'c'")
    }

    @Test
    func `a result of another type is refused by name`() {
        let identity = function("identity")
        func mismatch<R: WorkerResult, A: WorkerArgument>(_ type: R.Type, _ value: A) -> String? {
            message { () throws(WorkerError) in let _: R = try identity(value) }
        }
        expect(mismatch(Int.self, "x"), "expected Int from Python, got str")
        expect(mismatch(Int.self, 1.5), "expected Int from Python, got float")
        expect(mismatch(Int8.self, 300), "expected Int8 from Python, got an int out of its range")
        expect(mismatch(UInt.self, -1), "expected UInt from Python, got an int out of its range")
        expect(mismatch(Double.self, "x"), "expected Double from Python, got str")
        expect(mismatch(String.self, 1), "expected String from Python, got int")
        expect(mismatch(Bool.self, 1), "expected Bool from Python, got int")
        expect(mismatch([Int].self, 1), "expected Array<Int> from Python, got int")
        expect(mismatch([Int].self, ["x"]), "expected Array<Int> from Python, got str")
        expect(mismatch([Int].self, "x"), "expected Array<Int> from Python, got str")
        expect(mismatch(Int.self, nil as Int?), "expected Int from Python, got NoneType")
        expect(mismatch(Int?.self, "x"), "expected Optional<Int> from Python, got str")
        expect(mismatch(SharedBuffer<Double>.self, 1), "expected SharedBuffer<Double> from Python, got int")
        expect(mismatch(Complex<Double>.self, "x"), "expected Complex<Double> from Python, got str")
    }

    @Test
    func `a buffer of another type is refused by what it has`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 4)
        func mismatch<R: WorkerResult>(_ type: R.Type, _ name: String, _ dtype: String) -> String? {
            message { () throws(WorkerError) in let _: R = try function(name)(buffer, dtype) }
        }
        let view = "expected a contiguous one-dimensional view of"
        expect(mismatch(SharedBuffer<Int>.self, "as_type", "float64"), "\(view) Int from Python, got ")
        expect(mismatch(SharedBuffer<Double>.self, "as_type", "float32"), "\(view) Double from Python, got ")
        expect(mismatch(SharedBuffer<Double>.self, "as_type", ">f8"), "\(view) Double from Python, got ")
        expect(
            mismatch(SharedArray<Double>.self, "as_type", "complex128"), "expected a view of Double from Python, got ")
        expect(mismatch(SharedBuffer<Int>.self, "as_type", "uint64"), "\(view) Int from Python, got ")
        expect(
            message { () throws(WorkerError) in let _: SharedBuffer<Int> = try function("grid")(2, 3) },
            "\(view) Int from Python, got 2 dimensions")
        expect(
            message { () throws(WorkerError) in let _: SharedBuffer<Double> = try function("every_other")(buffer) },
            "\(view) Double from Python, got a stride of 16 bytes")
        for (kind, letters) in [("U1", "1w"), ("S2", "2s"), ("O", "O"), ("i4,f8", "T{i:f0:=d:f1:}"), ("g", "g")] {
            expect(
                message { () throws(WorkerError) in let _: SharedBuffer<Double> = try function("no_numbers")(kind) },
                "expected SharedBuffer<Double> from Python, got elements of format '\(letters)'")
        }
        #expect(try function("total")(buffer) == 0.0)
    }

    @Test
    func `a script that is not there is refused before any worker starts`() {
        expect(
            message { () throws(WorkerError) in _ = try workers.function("f", inScript: "/no/such.py").blocking },
            "'/no/such.py': No such file or directory")
        #expect(workers.processIdentifiers.isEmpty)
    }
}
