import PythonBridge
import Testing

/// Swift closures that Python calls.
@Suite struct CallbackTests {
    enum Refusal: Error, Equatable {
        case tooMany(Int)
    }

    let python: PythonInterpreter
    let apply: PythonFunction

    init() throws {
        python = try TestPython.start()
        apply = try TestPython.fixture("apply", in: "callbacks")
    }

    @Test func `numbers and text go in and a result comes back`() throws {
        let join = PythonCallback { (count: Int, scale: Double, name: String) in "\(name) \(Double(count) * scale)" }
        let result: String = try apply(join, 3, 0.5, "half")
        #expect(result == "half 1.5")
    }

    @Test func `lists, none and objects go in`() throws {
        let describe = PythonCallback { (list: [Int], nothing: Int?, object: PythonObject) in
            "\(list) \(String(describing: nothing)) \(try object.typeName)"
        }
        let result: String = try apply(describe, [1, 2], PythonNone(), try python.module("sys"))
        #expect(result == "[1, 2] nil module")
    }

    @Test func `memory is seen where it is`() throws {
        let buffer = try SharedBuffer<Double>(contentsOf: [1, 2, 4])
        let sum = PythonCallback { (view: PythonBuffer<Double>) in
            unsafe view.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        }
        let address: Int = try apply(sum, buffer)
        #expect(address == buffer.address)
        let mirror = PythonCallback { (view: SharedBuffer<Double>) in view }
        let same: SharedBuffer<Double> = try apply(mirror, buffer)
        #expect(same.address == buffer.address)
    }

    @Test func `a closure without arguments or a result is called as often as Python calls it`() throws {
        let counter = Counter()
        let count = PythonCallback { counter.add(1) }
        let nothing: Int? = try apply(count)
        #expect(nothing == nil)
        try TestPython.fixture("repeat", in: "callbacks")(count, 99)
        #expect(counter.value == 100)
    }

    @Test func `a Swift error comes back as the same value`() throws {
        let refuse = PythonCallback { (count: Int) -> Int in throw Refusal.tooMany(count) }
        let error = thrown { let _: Int = try apply(refuse, 7) }
        #expect(error?.exception?.type == "PythonBridge.SwiftError")
        #expect(error?.exception?.swiftError as? Refusal == .tooMany(7))
        #expect(error?.exception?.message == "tooMany(7)")
        #expect(error?.exception?.traceback.contains("callbacks.py") == true)
    }

    @Test func `a Swift error that Python catches is Python's`() throws {
        let refuse = PythonCallback { () -> Int in throw Refusal.tooMany(1) }
        let message: String = try TestPython.fixture("message_of", in: "callbacks")(refuse)
        #expect(message == "RuntimeError: tooMany(1)")
    }

    @Test func `a Swift error is found among the causes of what Python raised instead`() throws {
        let refuse = PythonCallback { () -> Int in throw Refusal.tooMany(2) }
        let error = thrown { try TestPython.fixture("raise_from", in: "callbacks")(refuse) }
        #expect(error?.exception?.type == "ValueError")
        #expect(error?.exception?.swiftError == nil)
        #expect(error?.exception?.causes.first?.swiftError as? Refusal == .tooMany(2))
    }

    @Test func `an exception of a call within a callback comes back through both`() throws {
        let fail = try TestPython.fixture("fail", in: "errors")
        let nested = PythonCallback { try fail("deep") }
        let error = thrown { try apply(nested) }
        #expect(error?.exception?.message.contains("deep") == true)
        #expect(error?.exception?.traceback.contains("errors.py") == true)
    }

    @Test(arguments: ["b'\\xff'.decode()", "{}['key']", "open('/no/such/file')", "__import__('json').loads('{')"])
    func `an exception of a call within a callback passes through as it is`(source: String) throws {
        let (python, same) = (python, try TestPython.fixture("raises_the_same", in: "callbacks"))
        let reraise = PythonCallback { () -> Int in try python.evaluate(source) }
        let isSame: Bool = try same(source, reraise)
        #expect(isSame)
    }

    @Test func `what is lent to a call that raises within a callback does not escape`() throws {
        let fail = try TestPython.fixture("fail_with_length", in: "callbacks")
        let counter = Counter()
        let lend = PythonCallback {
            var array = [1, 2, 3]
            if case .exception = thrown({ try fail(.lending([1.0]), .lending(&array)) }) { counter.add(1) }
            try fail(.lending([1.0]), .lending(&array))
        }
        let error = thrown { try apply(lend) }
        #expect(counter.value == 1)
        #expect(error?.exception?.type == "ValueError")
        #expect(error?.exception?.traceback.contains("fail_with_length") == true)
    }

    @Test func `a thread that never called calls back after there was a subinterpreter`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run(
                """
                try:
                    import _interpreters as interpreters
                except ImportError:
                    import _xxsubinterpreters as interpreters
                interpreters.create()
                """)
            let sum = try python.function("sum", in: "builtins")
            let call = PythonCallback { () -> Int in try sum(.lending([40, 2])) }
            let answer: Int = try TestPython.fixture("apply", in: "callbacks")(call)
            #expect(answer == 42)
            try onNewThreads(4) { _ in
                let object: PythonObject? = try python.evaluate("object()")
                let total: Int = try sum(.lending([1, 2]))
                #expect(total == 3 && object != nil)
            }
        }
    }

    @Test func `an exception that was kept comes back as a Swift error`() throws {
        let python = python
        let kept = try #require(thrown { let _: Int = try python.evaluate("{}['key']") })
        let error = thrown { try apply(PythonCallback { () -> Int in throw kept }) }
        #expect(error?.exception?.type == "PythonBridge.SwiftError")
        #expect((error?.exception?.swiftError as? PythonError)?.exception?.type == "KeyError")
    }

    @Test func `an argument that does not fit is told by its position`() throws {
        let function = PythonCallback { (count: Int, name: String) in "\(name) \(count)" }
        let error = thrown { let _: String = try apply(function, 1, 2) }
        #expect(error?.exception?.message == "expected String as argument 2 from Python, got int")
    }

    @Test(arguments: ["f()", "f(1, 2)", "f('text')", "f(x=1)"])
    func `arguments that do not fit raise TypeError`(call: String) throws {
        let function = PythonCallback { (count: Int) in count }
        let run: PythonObject = try python.evaluate("lambda f: \(call)")
        let error = thrown { let _: Int = try run.function("__call__")(function) }
        #expect(error?.exception?.type == "TypeError")
    }

    @Test func `callbacks nest`() throws {
        let apply = apply
        let inner = PythonCallback { (x: Int) in x + 1 }
        let outer = PythonCallback { (x: Int) -> Int in try apply(inner, x) * 2 }
        let result: Int = try apply(outer, 20)
        #expect(result == 42)
    }

    @Test func `another Python thread runs while a callback waits`() throws {
        let counter = Counter()
        let wait = PythonCallback { while counter.value == 0 { sleepBriefly() } }
        let signal = PythonCallback { counter.add(1) }
        try TestPython.fixture("call_while_a_thread_calls", in: "callbacks")(wait, signal)
        #expect(counter.value == 1)
    }

    @Test func `a callback is released once, when Python holds it no longer`() throws {
        weak var observed: Counter?
        do {
            let counter = Counter()
            observed = counter
            try TestPython.fixture("keep", in: "callbacks")(PythonCallback { counter.add(1) })
        }
        #expect(observed != nil)
        try TestPython.fixture("call_kept", in: "callbacks")()
        #expect(observed?.value == 1)
        try TestPython.fixture("drop", in: "callbacks")()
        #expect(observed == nil)
    }

    @Test func `callbacks leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let apply = try TestPython.fixture("apply", in: "callbacks")
            try MemoryTests.expectFlat(30_000) { _ in
                let _: Int = try apply(PythonCallback { (x: Int) in x + 1 }, 1)
            }
            try MemoryTests.expectFlat(10_000) { _ in
                let refuse = PythonCallback { () -> Int in throw Refusal.tooMany(2) }
                _ = thrown { let _: Int = try apply(refuse) }
            }
        }
    }
}
