import Glibc
import PythonBridge
import Testing

/// What Python gets for a Swift value, and Swift for the same value when it comes back.
@Suite struct ArgumentTests {
    let python: PythonInterpreter
    let identity: PythonFunction
    let describe: PythonFunction

    init() throws {
        python = try TestPython.start()
        identity = try TestPython.fixture("identity", in: "values")
        describe = try TestPython.fixture("describe", in: "values")
    }

    @Test(arguments: [0, -1, 1, .min, .max, 1 << 30, -(1 << 31) - 1])
    func `an Int comes back`(value: Int) throws {
        let back: Int = try identity(value)
        #expect(back == value)
        let text: String = try describe(value)
        #expect(text == "int \(value)")
    }

    @Test(arguments: elementTypes)
    func `the extreme values of every element type come back`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            for value in E.samples {
                let back: E = try identity(value)
                #expect(back == value)
            }
            let list: [E] = try identity(E.samples)
            #expect(list == E.samples)
        }
        try check(type)
    }

    @Test(arguments: [0, -1.0, 1.5, .pi, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    func `a Double comes back`(value: Double) throws {
        let back: Double = try identity(value)
        #expect(back == value)
    }

    @Test func `not a number and negative zero come back`() throws {
        let nan: Double = try identity(Double.nan)
        #expect(nan.isNaN)
        let float: Float = try identity(Float.nan)
        #expect(float.isNaN)
        let zero: Double = try identity(-0.0)
        #expect(zero.sign == .minus)
    }

    @Test(arguments: [
        "", "a", "a\0b", "\0", "żółw", "👩‍👩‍👧‍👦", "e\u{301}", String(repeating: "ü", count: 100_000), "\u{10FFFF}",
        "\u{FFFF}\r\n",
    ])
    func `text comes back as it was`(text: String) throws {
        let back: String = try identity(text)
        #expect(Array(back.unicodeScalars) == Array(text.unicodeScalars))
        let length: Int = try TestPython.fixture("length", in: "values")(text)
        #expect(length == text.unicodeScalars.count)
    }

    @Test func `a Bool is Python's`() throws {
        let texts: [String] = [try describe(true), try describe(false)]
        #expect(texts == ["bool True", "bool False"])
    }

    @Test func `nil is None`() throws {
        let texts: [String] = [
            try describe(Int?.none), try describe(PythonNone()), try describe(Int?.some(3)), try describe([1, nil]),
        ]
        #expect(texts == ["NoneType None", "NoneType None", "int 3", "list [1, None]"])
        let nothing: Int? = try identity(PythonNone())
        #expect(nothing == nil)
        let something: Int? = try identity(3)
        #expect(something == 3)
    }

    @Test func `lists are nested and may be empty`() throws {
        let nested = [[1, -1], [], [.min]]
        let back: [[Int]] = try identity(nested)
        #expect(back == nested)
        let empty: [String] = try identity([String]())
        #expect(empty == [])
        let optional: [Double?] = try identity([-1, nil, .infinity] as [Double?])
        #expect(optional == [-1, nil, .infinity])
    }

    @Test func `arguments arrive in their order, from none to six`() throws {
        let all = try TestPython.fixture("all", in: "values")
        let texts: [String] = [
            try all(), try all(1), try all(1, "b"), try all(1, "b", 3.5), try all(1, "b", 3.5, true),
            try all(1, "b", 3.5, true, [5]), try all(1, "b", 3.5, true, [5], PythonNone()),
        ]
        #expect(
            texts == [
                "() {}", "(1,) {}", "(1, 'b') {}", "(1, 'b', 3.5) {}", "(1, 'b', 3.5, True) {}",
                "(1, 'b', 3.5, True, [5]) {}", "(1, 'b', 3.5, True, [5], None) {}",
            ])
    }

    @Test(arguments: [0, 1, 20, 62, 63, 64, 1000])
    func `any number of arguments arrives in its order`(count: Int) throws {
        let all = try TestPython.fixture("all", in: "values")
        let arguments: [any PythonConvertible] = (0..<count).map { $0 }
        let text: String = try all.call(arguments, keywords: ["key": "value"])
        let expected: String = try python.evaluate("f'{tuple(range(\(count)))} {dict(key=\"value\")}'")
        #expect(text == expected)
    }

    @Test func `keywords arrive with their names, in their order`() throws {
        let all = try TestPython.fixture("all", in: "values")
        let text: String = try all(1, keywords: ["threshold": 3.0, "nan": "omit", "żółw": [1], "none": Int?.none])
        #expect(text == "(1,) {'threshold': 3.0, 'nan': 'omit', 'żółw': [1], 'none': None}")
        let alone: String = try all(keywords: ["a": 1])
        #expect(alone == "() {'a': 1}")
        let none: String = try all(keywords: [:])
        #expect(none == "() {}")
    }

    @Test func `a keyword given twice raises`() throws {
        let named = try TestPython.fixture("named", in: "values")
        let failure = thrown { try named(keywords: ["first": 1, "first": 2]) }
        #expect(failure?.exception?.type == "TypeError")
        let failure2 = thrown { try named(1, keywords: ["first": 2]) }
        #expect(failure2?.exception?.type == "TypeError")
        let failure3 = thrown { try named(keywords: ["unknown": 2]) }
        #expect(failure3?.exception?.type == "TypeError")
    }

    @Test func `memory and keywords go together`() throws {
        let all = try TestPython.fixture("lengths", in: "values")
        let shared = try SharedBuffer<Int8>(capacity: 3)
        let text: String = try all(.lending([1.0]), shared, keywords: ["more": try SharedBuffer<Int>(capacity: 2)])
        #expect(text == "[1, 3] {'more': 2}")
    }

    @Test func `an argument that cannot be passed leaves Python alone`() throws {
        struct Refused: PythonConvertible {
            func pythonValue() throws(PythonError) -> PythonValue { throw .invalidBuffer("refused") }
        }
        let all = try TestPython.fixture("lengths", in: "values")
        var output = [1]
        for _ in 0..<100 {
            let error = thrown { try all(.lending([1.0]), .lending(&output), "text", Refused()) }
            #expect(error?.description == "refused")
            let failure = thrown { try all(.lending([1.0]), keywords: ["a": 1, "b": Refused()]) }
            #expect(failure?.description == "refused")
            let failure2 = thrown { try all(.lending([1.0]), [Refused()]) }
            #expect(failure2?.description == "refused")
        }
        let text: String = try all(.lending(output))
        #expect(text == "[1] {}")
    }

    @Test func `an argument may call Python while it is passed`() throws {
        struct Looked: PythonConvertible {
            let depth: Int
            func pythonValue() throws(PythonError) -> PythonValue {
                guard depth > 0 else { return try unsafe 1.pythonValue() }
                let below: Int = try TestPython.fixture("add", in: "values")(Looked(depth: depth - 1), 1)
                return try unsafe below.pythonValue()
            }
        }
        let total: Int = try TestPython.fixture("add", in: "values")(Looked(depth: 50), Looked(depth: 7))
        #expect(total == 51 + 8)
    }

    @Test(arguments: [0, 2])
    func `an argument that appends none or two traps before a lent one takes its place`(count: Int) async {
        struct Odd: PythonArgument {
            let count: Int
            func pass(to call: inout PythonCall) throws(PythonError) {
                for _ in 0..<count { call.append(try unsafe 1.pythonValue()) }
            }
        }
        await #expect(processExitsWith: .failure) { [count] in
            let all = try TestPython.fixture("all", in: "values")
            try all(1, Odd(count: 1), .lending([1.0]))
            try all(1, Odd(count: count), .lending([1.0]))
            exit(EXIT_SUCCESS)
        }
    }

    @Test func `objects and functions can be passed and have attributes and methods`() throws {
        let point: PythonObject = try TestPython.fixture("Point", in: "values")(3, keywords: ["y": 4])
        #expect(try point.typeName == "Point")
        let same: Bool = try TestPython.fixture("is_same", in: "values")(point, point)
        #expect(same)
        let norm: Double = try point.function("norm")()
        #expect(norm == 5)
        let x: Int = try identity(try point.attribute("x"))
        #expect(x == 3)
        let sorted: [Int] = try python.function("sorted", in: "builtins")(
            [-3, 1, 2], keywords: ["key": try python.function("abs", in: "builtins")])
        #expect(sorted == [1, 2, -3])
    }

    @Test func `a result may be ignored`() throws {
        try identity(3)
        try identity("text")
        try TestPython.fixture("all", in: "values")()
    }

    @Test func `a missing attribute raises`() throws {
        let object: PythonObject = try identity("text")
        let failure = thrown { _ = try object.attribute("missing") }
        #expect(failure?.exception?.type == "AttributeError")
        let failure2 = thrown { _ = try object.function("missing") }
        #expect(failure2?.exception?.type == "AttributeError")
    }

    @Test func `an attribute that is no function is not callable`() throws {
        let point: PythonObject = try TestPython.fixture("Point", in: "values")(3, 4)
        guard case .notCallable("x", "int") = thrown({ _ = try point.function("x") }) else {
            Issue.record("not refused as not callable")
            return
        }
    }
}
