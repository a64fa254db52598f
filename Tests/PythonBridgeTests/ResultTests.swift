import PythonBridge
import Testing

/// What Swift reads, and what it refuses to read.
@Suite struct ResultTests {
    let python: PythonInterpreter
    let identity: PythonFunction

    init() throws {
        python = try TestPython.start()
        identity = try TestPython.fixture("identity", in: "values")
        try python.run("import numpy as np\nfrom Tests.Fixtures import values as result_values")
    }

    /// The error of reading an expression's value.
    func refusal<R: PythonResult>(_ expression: String, as type: R.Type) -> PythonError? {
        thrown { _ = try python.evaluate(expression, as: type) }
    }

    @Test(arguments: ["'1'", "1.0", "None", "[1]", "b'1'", "1j", "object()", "np.float64(1)", "np.bool_(True)"])
    func `what is no integer is refused as one`(expression: String) {
        #expect(refusal(expression, as: Int.self)?.isConversion == true)
        #expect(refusal(expression, as: UInt8.self)?.isConversion == true)
    }

    @Test(arguments: [
        "'1'", "None", "[1.0]", "b'1'", "1j", "object()", "np.array([1.0])", "np.array(1.0)", "np.complex128(1 + 2j)",
        "np.str_('1')",
    ])
    func `what is no number is refused as one`(expression: String) {
        #expect(refusal(expression, as: Double.self)?.isConversion == true)
        #expect(refusal(expression, as: Float.self)?.isConversion == true)
    }

    @Test(arguments: ["1", "0", "None", "''", "[]", "1.0", "np.int8(1)"])
    func `what is neither True nor False is refused as Bool`(expression: String) {
        #expect(refusal(expression, as: Bool.self)?.isConversion == true)
    }

    @Test(arguments: ["1", "None", "b'text'", "['text']"])
    func `what is no str is refused as String`(expression: String) {
        #expect(refusal(expression, as: String.self)?.isConversion == true)
    }

    @Test(arguments: ["'text'", "b'text'", "bytearray(b'text')", "1", "None", "object()", "'x' * 0", "np.str_('text')"])
    func `what is no iterable of items is refused as an array`(expression: String) {
        #expect(refusal(expression, as: [String].self)?.isConversion == true)
        #expect(refusal(expression, as: [Int].self)?.isConversion == true)
    }

    @Test func `text with a lone surrogate raises rather than change`() {
        #expect(refusal("'\\ud800'", as: String.self)?.exception?.type == "UnicodeEncodeError")
        #expect(refusal("['a', 'b\\udfff']", as: [String].self)?.exception?.type == "UnicodeEncodeError")
    }

    @Test(arguments: elementTypes)
    func `an integer out of range is refused`(type: any TestElement.Type) {
        func check<E: TestElement & FixedWidthInteger>(_: E.Type) {
            for number in ["\(E.max) + 1", "\(E.min) - 1", "10 ** 30", "-(10 ** 30)", "result_values.Index(2 ** 64)"] {
                #expect(refusal(number, as: E.self)?.isConversion == true, "\(number) as \(E.self)")
            }
        }
        if let type = type as? any (TestElement & FixedWidthInteger).Type { check(type) }
    }

    @Test func `an int too large for a Double is refused`() {
        #expect(refusal("10 ** 400", as: Double.self)?.isConversion == true)
    }

    @Test(arguments: [
        "np.int8", "np.int16", "np.int32", "np.int64", "np.uint8", "np.uint16", "np.uint32", "np.uint64", "int",
        "result_values.Index",
    ])
    func `an integer of any kind is read`(kind: String) throws {
        let int: Int = try python.evaluate("\(kind)(100)")
        let byte: UInt8 = try python.evaluate("\(kind)(100)")
        let word: UInt64 = try python.evaluate("\(kind)(100)")
        #expect((int, byte, word) == (100, 100, 100))
    }

    @Test(arguments: [
        "np.float16", "np.float32", "np.float64", "np.longdouble", "float", "int", "np.int32",
        "__import__('fractions').Fraction",
    ])
    func `a number of any kind is read as floating point`(kind: String) throws {
        let double: Double = try python.evaluate("\(kind)(-1)")
        let float: Float = try python.evaluate("\(kind)(-1)")
        #expect(double == -1)
        #expect(float == -1)
    }

    @Test func `numpy's booleans are read as Bool`() throws {
        let values: [Bool] = try python.evaluate("[np.bool_(True), np.bool_(False), np.float64(1) > 0]")
        #expect(values == [true, false, true])
    }

    @Test(arguments: [
        "[3, 2, 1]", "(3, 2, 1)", "np.array([3, 2, 1])", "range(3, 0, -1)", "iter([3, 2, 1])", "{3: 1, 2: 1, 1: 1}",
        "result_values.countdown(3)", "memoryview(b'\\3\\2\\1')", "np.array([3, 2, 1], dtype='>u2')[:]",
        "map(int, '321')",
    ])
    func `every iterable is read as an array`(expression: String) throws {
        let values: [Int] = try python.evaluate(expression)
        #expect(values == [3, 2, 1])
    }

    @Test func `an exhausted generator is empty`() throws {
        try python.run("result_generator = result_values.countdown(2)")
        let first: [Int] = try python.evaluate("result_generator")
        let second: [Int] = try python.evaluate("result_generator")
        #expect(first == [2, 1])
        #expect(second == [])
    }

    @Test func `an exception half way through a generator surfaces`() {
        let error = refusal("result_values.countdown(10, 'half way')", as: [Int].self)
        #expect(error?.exception?.type == "ValueError")
        #expect(error?.exception?.message == "half way")
    }

    @Test func `an item of the wrong type is refused, and the rest is not read`() throws {
        try python.run("result_rest = iter([1, 'two', 3, 4])")
        #expect(refusal("result_rest", as: [Int].self)?.isConversion == true)
        let rest: [Int] = try python.evaluate("result_rest")
        #expect(rest == [3, 4])
        #expect(refusal("[[1], ['2']]", as: [[Int]].self)?.isConversion == true)
        #expect(refusal("[1, None]", as: [Int].self)?.isConversion == true)
        #expect(refusal("['a', None]", as: [String?]?.self) == nil)
    }

    @Test func `an exception while a value is read surfaces`() {
        #expect(refusal("result_values.Index(KeyError('k'))", as: Int.self)?.exception?.type == "KeyError")
        #expect(refusal("result_values.Iterable(KeyError('k'))", as: [Int].self)?.exception?.type == "KeyError")
    }

    @Test func `an iterator's own TypeError is not taken for the lack of one`() {
        let error = refusal("result_values.Iterable(TypeError('my own'))", as: [Int].self)
        #expect(error?.exception?.message == "my own")
    }

    @Test func `a matrix is read by rows`() throws {
        let rows: [[Int]] = try python.evaluate("np.arange(6).reshape(2, 3)")
        #expect(rows == [[0, 1, 2], [3, 4, 5]])
    }

    @Test func `a conversion error names both types`() {
        guard case .conversion("Int", "str") = refusal("'1'", as: Int.self) else {
            Issue.record("\(String(describing: refusal("'1'", as: Int.self)))")
            return
        }
    }

    @Test(arguments: ["Int8", "UInt16"])
    func `a conversion error names the narrow type that was asked for`(name: String) {
        let error = name == "Int8" ? refusal("'1'", as: Int8.self) : refusal("'1'", as: UInt16.self)
        guard case .conversion(name, "str") = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `the call after a refusal works`() throws {
        for _ in 0..<100 {
            #expect(refusal("10 ** 30", as: Int8.self) != nil)
            let value: Int = try identity(-1)
            #expect(value == -1)
        }
    }
}
