import Testing

@Suite struct JSONTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func json(_ text: String) throws -> String { try scratch.file("x.json", text) }

    private static let list = "[" + (0..<100).map { $0 == 42 ? "900" : "\($0 % 7)" }.joined(separator: ",\n") + "]"

    // MARK: What can be read

    @Test(arguments: engines)
    func `a list is a series`(engine: String) async throws {
        #expect(try await outliers("detect", try json(Self.list), "--engine", engine, "--indices").list() == [42])
    }

    @Test(arguments: ["a", "2"])
    func `an object has columns in the order of their names`(column: String) async throws {
        let path = try json("{\"a\": \(Self.list), \"B\": [1, 2]}")
        #expect(try await detect(path, "--column", column, "--indices").list() == [42])
    }

    @Test func `an object of one column needs no choice`() async throws {
        #expect(try await detect(try json("{\"a\": \(Self.list)}"), "--indices").list() == [42])
    }

    @Test func `a list of objects is a table by rows`() async throws {
        let rows = (0..<100).map { "{\"x\": \($0), \"v\": \($0 == 42 ? 900 : $0 % 7)}" }.joined(separator: ", ")
        #expect(try await detect(try json("[\(rows)]"), "--column", "v", "--indices").list() == [42])
    }

    @Test func `a row that lacks the column is a missing sample`() async throws {
        let path = try json("[{\"a\": 1}, {\"a\": null}, {}, {\"a\": 3}]")
        let report = try await detect(path, "--nan", "omit", "--json").report()
        #expect(report.samples == 4)
        #expect(report.mean == 2)
    }

    @Test(arguments: [
        "{\"name\": [\"x\", \"y\"], \"v\": [1, 3]}", "[{\"name\": \"x\", \"v\": 1}, {\"name\": \"y\", \"v\": 3}]",
    ])
    func `text in the other columns does not matter`(text: String) async throws {
        #expect(try await detect(try json(text), "--column", "v", "--json").report().mean == 2)
    }

    @Test(arguments: engines, ["null", "NaN", "Infinity", "-Infinity"])
    func `a sample that is not finite can be omitted`(engine: String, item: String) async throws {
        let path = try json("[1, \(item), 3]")
        let report = try await outliers("detect", path, "--nan", "omit", "--engine", engine, "--json").report()
        #expect(report.samples == 3)
        #expect(report.mean == 2)
    }

    @Test(arguments: engines)
    func `an empty list has no outliers`(engine: String) async throws {
        let report = try await outliers("detect", try json("[]"), "--engine", engine, "--json").report()
        #expect(report.samples == 0)
    }

    @Test(arguments: [
        ("123456789012345678901234567890", 123_456_789_012_345_677_877_719_597_056),
        ("18446744073709551615", 18_446_744_073_709_551_616), ("-9223372036854775808", -9_223_372_036_854_775_808),
        ("1e2", 100), ("-0.5E-1", -0.05),
    ])
    func `numbers may be of any size and form`(text: String, value: Double) async throws {
        #expect(try await detect(try json("[\(text)]"), "--json").report().mean == value)
    }

    @Test func `what Python's json writes is read`() async throws {
        let path = scratch["x.json"]
        let expected = try await numpyOutliers(
            """
            import json
            x = np.random.default_rng(8).normal(size=5000) * 10.0 ** np.arange(5000).repeat(1) ** 0
            json.dump(x.tolist(), open(path, 'w'), indent=1)
            """, path: path)
        #expect(try await detect(path, "--indices").list() == expected)
    }

    // MARK: What is refused

    @Test(arguments: [("[1, null]", "item 1"), ("[NaN]", "item 0"), ("[0, 0, Infinity]", "item 2")])
    func `a sample that is not finite is named by its index`(text: String, place: String) async throws {
        try await detect(try json(text)).fails(65, "x.json", place, "--nan omit")
    }

    @Test func `a missing sample of a column is named by both`() async throws {
        try await detect(try json("{\"a\": [1], \"b\": [1, null]}"), "--column", "b")
            .fails(65, "item 1", "'b'")
    }

    @Test(arguments: ["\"x\"", "true", "[2]", "{\"a\": 1}"])
    func `an item that is no number is named by its index`(item: String) async throws {
        try await detect(try json("[1, 2, \(item), 4]")).fails(65, "x.json", "item 2", "not a number")
    }

    @Test func `an item of a column that is no number is named by both`() async throws {
        try await detect(try json("{\"a\": [1, \"x\"]}")).fails(65, "x.json", "'a'", "item 1")
        try await detect(try json("[{\"a\": 1}, {\"a\": \"x\"}]")).fails(65, "x.json", "'a'", "item 1")
    }

    @Test(arguments: ["[[1, 2], [3, 4]]", "[[]]"])
    func `nested lists are refused`(text: String) async throws {
        try await detect(try json(text)).fails(65, "x.json", "item 0")
    }

    @Test(arguments: ["5", "\"text\"", "null", "true", "{\"a\": 1}", "{\"a\": {\"b\": []}}"])
    func `a document of another shape is refused`(text: String) async throws {
        try await detect(try json(text)).fails(65, "x.json")
    }

    @Test(arguments: [
        "[1, 2", "[1, 2]]", "[1 2]", "text", "{\"a\": [1, 2}", "[1, 2] x", "[", "{", " ", "\u{0}", "[1,\n\n,]",
    ])
    func `what is no JSON is refused`(text: String) async throws {
        try await detect(try json(text)).fails(65, "x.json", "not JSON")
    }

    @Test func `a hundred thousand brackets are no way to crash`() async throws {
        for bracket in ["[", "{\"a\":", "[{\"a\":"] {
            try await detect(try json(String(repeating: bracket, count: 100_000))).fails(65, "x.json")
        }
    }

    @Test func `bytes that are no UTF-8 are refused`() async throws {
        try await detect(try scratch.file("x.json", [0x5B, 0x22, 0xFF, 0xFE, 0x22, 0x5D])).fails(
            65, "x.json")
    }

    @Test(arguments: ["{}", "[{}]", "[{}, {}]"])
    func `a table without columns is bad data`(text: String) async throws {
        try await detect(try json(text)).fails(65, "x.json", "no column")
    }

    @Test func `a column is asked for with those there are`() async throws {
        try await detect(try json("{\"b\": [1], \"a\": [2]}")).fails(64, "--column", "'a', 'b'")
        try await detect(try json("[{\"b\": 1, \"a\": 2}]")).fails(64, "--column", "'a', 'b'")
    }

    @Test func `a column that is not there is named with those there are`() async throws {
        try await detect(try json("{\"b\": [1], \"a\": [2]}"), "--column", "c").fails(65, "'c'", "'a', 'b'")
        try await detect(try json("[1]"), "--column", "c").fails(65, "'c'", "1")
    }

    @Test(arguments: [
        ("[1,\n 2,\n  x]", "line 3, column 3"), ("[1\n,02]", "line 2, column 2"), ("[1, 2.]", "column 5"),
        ("[1, +2]", "column 5"), ("[1, .5]", "column 5"), ("[1e]", "column 2"), ("[-]", "column 2"),
        ("[1, 2,]", "column 7"), ("[1", "column 3"), ("{\"a\": [1], }", "column 12"), ("{a: [1]}", "column 2"),
        ("{\"a\" [1]}", "column 6"), ("[nul]", "column 2"), ("[-Infinite]", "column 3"), ("{\"\\x\": [1]}", "escape"),
        ("{\"\\ud800\": [1]}", "escape"), ("{\"a\tb\": [1]}", "column 4"), ("[1] // text", "column 5"),
    ])
    func `what is no JSON is told by line and column`(text: String, place: String) async throws {
        try await detect(try json(text)).fails(65, "x.json: it is not JSON: line ", place)
    }

    @Test func `text of any kind is skipped in the other columns`() async throws {
        let path = try json(
            "\u{FEFF}{\"é \\\"[\": [\"]\\\\\", {\"b\": [[], {}, [1, true]]}, \"\\u00e9\"], \"v\": [1, 3.5E0, -1.5e+0]}")
        let report = try await detect(path, "--column", "v", "--nan", "omit", "--json").report()
        #expect(report.samples == 3)
        #expect(report.mean == 1)
    }

    @Test(arguments: ["\\u00e9\\ud83e\\udd80", "é🦀"])
    func `a name is the same with escapes and without`(name: String) async throws {
        for text in ["{\"x\": [9], \"\(name)\": [1, 3]}", "[{\"x\": 9, \"\(name)\": 1}, {\"\(name)\": 3}]"] {
            let path = try json(text)
            #expect(try await detect(path, "--column", "é🦀", "--json").report().mean == 2)
        }
    }

    @Test func `of two columns with one name the number tells`() async throws {
        let path = try json("{\"a\": [1], \"a\": [3]}")
        try await detect(path, "--column", "a").fails(64, "several columns are called 'a'", "number")
        #expect(try await detect(path, "--column", "2", "--json").report().mean == 3)
    }

    @Test func `what is no row or no column is named`() async throws {
        try await detect(try json("[{\"a\": 1}, 5]")).fails(65, "item 1 is not an object")
        try await detect(try json("{\"a\": 5, \"b\": [1]}"), "--column", "a")
            .fails(65, "'a' is not an array of numbers")
    }

    @Test func `arrays may be nested, but not without end`() async throws {
        func nested(_ depth: Int) throws -> String {
            try json(
                "{\"v\": [1, 3], \"x\": " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                    + "}")
        }
        #expect(try await detect(try nested(500), "--column", "v", "--json").report().mean == 2)
        try await detect(try nested(600), "--column", "v").fails(65, "not JSON", "nested too deeply")
    }
}
