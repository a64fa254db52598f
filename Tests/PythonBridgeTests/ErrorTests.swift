import PythonBridge
import Testing

/// A Python exception as one Swift error.
@Suite struct ErrorTests {
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
    }

    /// What a function of `Tests/Fixtures/errors.py` raises.
    func raised(by function: String, _ arguments: (any PythonConvertible)...) throws -> PythonException {
        let function = try TestPython.fixture(function, in: "errors")
        return try #require(thrown { let _: PythonObject = try function.call(arguments) }?.exception)
    }

    @Test(arguments: ["first bad sample at 3", "", "two\nlines", "żółw 🐢"])
    func `an exception has its type and its message`(message: String) throws {
        let exception = try raised(by: "fail", message)
        #expect(exception.type == "ValueError")
        #expect(exception.message == message)
        #expect(exception.causes.isEmpty)
        #expect(exception.description == (message.isEmpty ? "ValueError" : "ValueError: \(message)"))
    }

    @Test func `a message with a zero in it is whole`() throws {
        #expect(try raised(by: "fail", "before\0after").message == "before\0after")
    }

    @Test func `a message that is no valid Unicode is still told`() throws {
        try python.run("def error_surrogate(): raise ValueError('bad \\udc80 name')")
        let function = try python.function("error_surrogate", in: "__main__")
        let failure = thrown { try function() }
        #expect(failure?.exception?.message == "bad \\udc80 name")
    }

    @Test func `the traceback has the file, the function and the line`() throws {
        let traceback = try raised(by: "fail", "why").traceback
        #expect(traceback.hasPrefix("Traceback (most recent call last):\n"))
        #expect(traceback.contains("Tests/Fixtures/errors.py\", line 15, in fail\n"))
        #expect(traceback.contains("raise ValueError(message)  # the line that the traceback shows"))
        #expect(traceback.hasSuffix("ValueError: why\n"))
    }

    @Test(arguments: ["fail_from", "fail_while_handling"])
    func `a cause and a context are causes`(function: String) throws {
        let exception = try raised(by: function)
        #expect(exception.type == "LookupError")
        #expect(exception.causes.map { $0.type } == ["ValueError"])
        #expect(exception.causes.map { $0.message } == ["first"])
        #expect(exception.traceback.contains("ValueError: first\n"))
    }

    @Test func `a context that is suppressed is no cause`() throws {
        let exception = try raised(by: "fail_from_none")
        #expect(exception.causes.isEmpty)
        #expect(!exception.traceback.contains("first"))
    }

    @Test func `a type of one's own is qualified with its module`() throws {
        #expect(try raised(by: "fail_own").type == "Tests.Fixtures.errors.SampleError")
        #expect(try raised(by: "fail_own").message == "('own', 2)")
        #expect(try raised(by: "fail_nested").type == "Tests.Fixtures.errors.SampleError.Nested")
        let decoding = thrown { try python.function("loads", in: "json")("{") }
        #expect(decoding?.exception?.type == "json.decoder.JSONDecodeError")
    }

    @Test func `a type with an odd module has its name`() throws {
        #expect(try raised(by: "fail_bad_metadata").type == "Odd")
    }

    @Test func `an exception that cannot be printed is reported`() throws {
        let exception = try raised(by: "fail_unprintable")
        #expect(exception.type == "Tests.Fixtures.errors.Unprintable")
        #expect(!exception.message.contains("hidden"))
    }

    @Test(arguments: ["fail_in_a_circle", "fail_by_itself"])
    func `causes that go in a circle end`(function: String) throws {
        let exception = try raised(by: function)
        #expect(exception.type == "ValueError")
        #expect(exception.causes.count < 100)
    }

    @Test func `every exception in a circle is told once`() throws {
        let exception = try raised(by: "fail_in_a_circle")
        #expect(exception.causes.map { $0.message } == ["second"])
        #expect(try raised(by: "fail_by_itself").causes.isEmpty)
    }

    @Test(arguments: [1, 10, 60])
    func `a chain of causes is told in its order`(count: Int) throws {
        let exception = try raised(by: "fail_after", count)
        #expect(exception.message == "\(count - 1)")
        #expect(exception.causes.map { $0.message } == (0..<count - 1).reversed().map { "\($0)" })
    }

    @Test(.timeLimit(.minutes(15)))
    func `a very long chain of causes is told as far as it goes`() throws {
        let exception = try raised(by: "fail_after", 3000)
        #expect(exception.message == "2999")
        #expect(exception.causes.first?.message == "2998")
    }

    @Test func `endless recursion is an exception`() throws {
        #expect(try raised(by: "fail_deep").type == "RecursionError")
    }

    @Test func `a group of exceptions is told in the traceback`() throws {
        let exception = try raised(by: "fail_as_group")
        // Groups came with 3.11; before, the name is not there.
        let hasGroups = PythonVersion.linked.minor >= 11
        #expect(exception.type == (hasGroups ? "ExceptionGroup" : "NameError"))
        #expect(exception.traceback.contains(hasGroups ? "KeyError: 'two'" : "name 'ExceptionGroup' is not defined"))
    }

    @Test(arguments: [
        "KeyboardInterrupt", "SystemExit", "GeneratorExit", "MemoryError", "StopIteration", "AssertionError",
    ])
    func `no exception ends the process`(type: String) throws {
        let exception = try raised(by: "fail_as", type)
        #expect(exception.type == type)
        #expect(exception.message == "as asked")
    }

    @Test func `leaving Python does not leave the process`() {
        for source in ["import sys; sys.exit(3)", "raise SystemExit", "exit()", "quit(1)", "raise KeyboardInterrupt"] {
            let type = thrown { try python.run(source) }?.exception?.type
            #expect(["SystemExit", "KeyboardInterrupt", "NameError"].contains(type))
        }
    }

    @Test func `a syntax error tells the line`() throws {
        let exception = try #require(thrown { try python.run("x = 1\nif True print(x)\n") }?.exception)
        #expect(exception.type == "SyntaxError")
        #expect(exception.message.contains("line 2"))
        #expect(exception.traceback.contains("if True print(x)"))
        let failure = thrown { let _: Int = try python.evaluate("x = 1") }
        #expect(failure?.exception?.type == "SyntaxError")
        let failure2 = thrown { try python.run("  indented = 1") }
        #expect(failure2?.exception?.type == "IndentationError")
    }

    @Test func `the indicator is clear afterwards`() throws {
        for _ in 0..<50 {
            _ = try raised(by: "fail_while_handling")
            let clear: Bool = try python.evaluate("__import__('sys').exc_info() == (None, None, None)")
            #expect(clear)
        }
    }

    @Test func `what is not there is named`() {
        let module = thrown { _ = try python.module("no_such_module") }
        #expect(module?.exception?.type == "ModuleNotFoundError")
        #expect(module?.exception?.message == "No module named 'no_such_module'")
        let function = thrown { _ = try python.function("no_such_function", in: "math") }
        #expect(function?.exception?.type == "AttributeError")
        guard case .notCallable("pi", "float") = thrown({ _ = try python.function("pi", in: "math") }) else {
            Issue.record("math.pi was not refused")
            return
        }
        let failure = thrown { _ = try python.module("") }
        #expect(failure?.exception?.type == "ValueError")
    }

    @Test func `a wrong number of arguments raises`() throws {
        let sqrt = try python.function("sqrt", in: "math")
        let failure = thrown { let _: Double = try sqrt() }
        #expect(failure?.exception?.type == "TypeError")
        let failure2 = thrown { let _: Double = try sqrt(1, 2) }
        #expect(failure2?.exception?.type == "TypeError")
        let root: Double = try sqrt(4)
        #expect(root == 2)
    }
}
