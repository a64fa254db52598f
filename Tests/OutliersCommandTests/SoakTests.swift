import FoundationEssentials
import Glibc
import Testing

/// `outliers soak`, from start to end.
@Suite struct SoakTests {
    let scratch: Scratch
    static let functions = Program.checkout + "/Tests/Fixtures/soaking.py"

    init() throws {
        scratch = try Scratch()
    }

    private struct Result: Decodable {
        struct Reading: Decodable {
            let calls: Int
            let seconds: Double
            let resident: Int
            let heap: Int
            let pythonBlocks: Int?
            let exporters: Int
            let descriptors: Int
        }
        struct Slope: Decodable {
            let bytesPerMillionCalls: Double
            let standardError: Double?
            let readings: Int
        }
        struct Verdict: Decodable {
            let name: String
            let text: String
            let measure: String?
            let perCall: Double?
        }
        let call: String
        let samples: Int
        let calls: Int
        let seconds: Double
        let callsPerSecond: Double
        let start: Reading
        let plateau: Reading?
        let end: Reading
        let trimmed: [Reading]
        let slope: Slope?
        let verdict: Verdict
        let readings: [Reading]
    }

    private func result(_ program: Program) throws -> Result {
        try JSONDecoder().decode(Result.self, from: Data(program.output.utf8))
    }

    private func soak(_ function: String, _ arguments: String...) async throws -> Program {
        try await outliers(["soak", "--call", "\(Self.functions):\(function)", "--json"] + arguments)
    }

    // MARK: Table, JSON and picture

    @Test(arguments: zip(allEngines, [400, 200, 200, 400, 2]))
    func `the table has memory at the start, at the plateau and at the end`(engine: String, calls: Int) async throws {
        let table = try await outliers("soak", "--engine", engine, "--calls", "\(calls)", "--trim").succeeds()
        #expect(table.hasPrefix("\(engine): \(calls) calls on 1,000 samples in "))
        #expect(table.contains(#/ in [\d.]+ s of calls, [\d,.]+ a second\n/#))
        #expect(table.contains(#/\n +start +plateau +end +trimmed: early +at the end\n/#))
        #expect(table.contains(#/\nresident memory( +\d+\.\d\d MiB){5}\n/#))
        #expect(table.contains(#/\nheap \(malloc\)( +\d+\.\d\d MiB){5}\n/#))
        #expect(table.contains(#/\nblocks of Python( +[\d,]+){5}\n/#) == !["native", "subprocess"].contains(engine))
        #expect(table.contains(#/\nexporters alive( +0){5}\n/#))
        #expect(table.contains(#/\nopen descriptors( +\d+){5}\n/#))
        let slope = #/\nslope: -?[\d,.]+( ± [\d,.]+)? bytes per million calls, over the \d+ readings/#
        #expect(table.contains(slope) == (calls >= 100))
        let verdict = calls < 100 ? "too short to tell: " : "no leak: "
        #expect(table.split(separator: "\n").last?.hasPrefix(verdict) == true)
    }

    @Test(arguments: engines)
    func `the JSON has what was read, and no more readings than there is room for`(engine: String) async throws {
        let calls = engine == "native" ? 20_000 : 1500
        let program = try await outliers("soak", "--engine", engine, "--calls", "\(calls)", "--json")
        program.succeeds()
        let result = try result(program)
        #expect(result.call == engine)
        #expect(result.samples == 1000)
        #expect(result.calls == calls)
        #expect(result.end.calls == calls)
        #expect(result.start.calls == 0)
        #expect(result.readings.first?.calls == 0)
        #expect(300...512 ~= result.readings.count)
        #expect(zip(result.readings, result.readings.dropFirst()).allSatisfy { $0.calls < $1.calls })
        #expect(result.trimmed.isEmpty)
        #expect(result.end.exporters == 0)
        #expect((result.end.pythonBlocks == nil) == (engine == "native"))
        #expect(result.readings.allSatisfy { $0.resident > 1 << 20 && $0.heap > 10_000 && $0.descriptors >= 3 })
        #expect(result.verdict.name == "no leak")
        #expect(result.verdict.measure == nil)
        #expect(abs(result.callsPerSecond * result.seconds / Double(calls) - 1) < 1e-6)
        let slope = try #require(result.slope)
        #expect(slope.readings > 200)
        #expect(slope.standardError != nil)
    }

    @Test func `a worker's memory counts, and so do its descriptors`() async throws {
        func end(_ engine: String) async throws -> Result.Reading {
            let program = try await outliers("soak", "--engine", engine, "--calls", "3", "--json")
            program.succeeds()
            return try result(program).end
        }
        let (worker, native) = (try await end("worker"), try await end("native"))
        #expect(worker.resident > native.resident + 5 << 20)
        #expect(worker.heap > native.heap + 1 << 20)
        #expect(worker.descriptors > native.descriptors + 8)
    }

    @Test func `the picture has what is resident, the slope, the plateau and the trims`() async throws {
        try await outliers("soak", "--calls", "300", "--trim", "--plot", scratch["p.svg"]).succeeds()
        let picture = String(decoding: try scratch.contents("p.svg"), as: UTF8.self)
        for part in ["resident", "slope", "plateau", "trimmed"] { #expect(picture.contains("<g id=\"\(part)\">")) }
        #expect(picture.contains("embedded: no leak"))
        try await outliers("soak", "--call", "\(Self.functions):clean", "--calls", "300", "--plot", scratch["c.svg"])
            .succeeds()
        #expect(String(decoding: try scratch.contents("c.svg"), as: UTF8.self).contains(":clean: no leak"))
        try await outliers("soak", "--engine", "native", "--calls", "1", "--plot", scratch["p.PNG"]).succeeds()
        #expect(try scratch.contents("p.PNG").starts(with: [0x89] + "PNG".utf8))
    }

    @Test func `a file is soaked as well as generated samples`() async throws {
        let program = try await outliers("soak", nile, "--column", "volume", "--calls", "2", "--json")
        program.succeeds()
        #expect(try result(program).samples == 100)
        let generated = try await outliers(
            "soak", "--samples", "12345", "--engine", "native", "--calls", "2", "--json")
        generated.succeeds()
        #expect(try result(generated).samples == 12_345)
    }

    @Test func `seconds end it too`() async throws {
        let program = try await outliers("soak", "--engine", "native", "--seconds", "0.3", "--json")
        program.succeeds()
        #expect(try result(program).calls > 1)
        // What the readings took is not the calls'.
        #expect(try result(program).seconds > 0.05)
    }

    // MARK: Verdicts

    @Test(arguments: [
        ("leak_in_python", "resident", 100.0), ("leak_in_c", "resident", 100), ("leak_views", "resident", 100),
    ])
    func `a leak of a hundred bytes a call is found`(function: String, measure: String, bytes: Double) async throws {
        for options in [[], ["--trim"]] {
            let program = try await outliers(
                ["soak", "--call", "\(Self.functions):\(function)", "--json", "--calls", "20000"] + options)
            #expect(program.code == 70)
            #expect(program.error.hasPrefix("outliers: \(Self.functions):\(function): leak: "))
            #expect(program.error.filter(\.isNewline).count == 1)
            let verdict = try result(program).verdict
            #expect(verdict.name == "leak")
            #expect(verdict.measure == measure)
            #expect(try #require(verdict.perCall) > bytes)
            #expect(function == "leak_views" || verdict.perCall ?? 0 < 1.6 * bytes)
            let shown = options.isEmpty ? "--trim tells" : "which are not given back"
            #expect(verdict.text.contains(shown))
        }
    }

    @Test func `a leak of descriptors is found`() async throws {
        let program = try await soak("leak_descriptors", "--calls", "900", "--trim")
        #expect(program.code == 70)
        let verdict = try result(program).verdict
        #expect(verdict.measure == "descriptors")
        #expect(verdict.text == "leak: 1 descriptor a call, which are not given back")
    }

    @Test func `exporters that Python keeps are counted`() async throws {
        let result = try result(try await soak("leak_views", "--calls", "300"))
        #expect(result.end.exporters == 300)
    }

    @Test(arguments: ["clean", "fill_a_cache"], [[], ["--trim"]])
    func `no leak is found where there is none`(function: String, options: [String]) async throws {
        let program = try await outliers(
            ["soak", "--call", "\(Self.functions):\(function)", "--json", "--calls", "20000"] + options)
        program.succeeds()
        #expect(try result(program).verdict.name == "no leak")
    }

    @Test func `no engine leaks`() async throws {
        for (engine, calls) in [("embedded", 20_000), ("copying", 3000), ("native", 50_000), ("worker", 3000)] {
            let program = try await outliers(
                "soak", "--engine", engine, "--calls", "\(calls)", "--trim", "--json")
            program.succeeds()
            #expect(try result(program).verdict.name == "no leak", "\(engine)")
        }
    }

    @Test func `retention is told from a leak`() async throws {
        let untrimmed = try await soak("retain", "--calls", "1200")
        #expect(untrimmed.code == 70)
        #expect(try result(untrimmed).verdict.name == "leak")
        let program = try await soak("retain", "--calls", "1200", "--trim")
        program.succeeds()
        let result = try result(program)
        #expect(result.verdict.name == "retention")
        #expect(result.verdict.text.hasSuffix("a call, and gave it back when trimmed"))
        #expect(result.trimmed.count == 2)
        #expect(result.end.resident - (result.trimmed.last?.resident ?? 0) > 1 << 20)
    }

    // MARK: On the way

    @Test func `a terminal shows calls, their rate and memory, and nothing of it in the end`() async throws {
        var run = Terminal("soak", "--seconds", "1")
        run.terminal = true
        run.columns = 200
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.error.hasSuffix(Terminal.erased))
        let lines = end.error.split(separator: "\r").dropLast()
        #expect(lines.count >= 2)
        let pattern = #/embedded  \d+ s  [\d,]+ calls  [\d,]+/s  \d+\.\d\d MiB  [+-]\d+\.\d\d MiB/#
        #expect(lines.allSatisfy { $0.wholeMatch(of: pattern) != nil }, "\(lines)")
    }

    @Test(arguments: [("SIGINT", SIGINT), ("SIGTERM", SIGTERM)])
    func `a signal ends it with what was found so far`(name: String, signal: Int32) async throws {
        var run = Terminal("soak", "--seconds", "600", "--json", "--plot", scratch["p.svg"])
        run.terminal = true
        run.columns = 200
        run.text = "calls"
        run.signals = [name]
        let end = try await run.run()
        #expect(end.status == -signal)
        let result = try JSONDecoder().decode(Result.self, from: Data(end.output.utf8))
        #expect(result.calls > 0)
        #expect(result.seconds < 600)
        #expect(end.error.hasSuffix("outliers: interrupted\n"))
        #expect(try scratch.names == ["p.svg"])
    }

    @Test func `a second signal does not wait for the call`() async throws {
        let path = try scratch.file(
            "hang.py", "import time\ndef hang(samples, indices):\n    open('begun', 'w').close()\n    time.sleep(600)\n"
        )
        var run = Terminal("soak", "--call", "\(path):hang", "--plot", "p.svg")
        run.directory = try scratch.directory("work")
        run.file = scratch["work/begun"]
        run.signals = ["SIGINT", "SIGTERM"]
        let end = try await run.run()
        // Two that are pending at once come in any order.
        #expect([-SIGINT, -SIGTERM].contains(end.status))
        #expect(end.output == "")
        #expect(end.error == "outliers: interrupted\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch["work"]) == ["begun"])
    }

    // MARK: What is wrong

    @Test(arguments: [
        (["--calls", "0"], "--calls takes a number from 1 up"),
        (["--calls", "-3"], "--calls takes a number from 1 up"),
        (["--calls", "x"], "x"), (["--seconds", "0"], "--seconds takes seconds, more than 0"),
        (["--seconds", "-1"], "--seconds takes seconds, more than 0"),
        (["--seconds", "nan"], "--seconds takes seconds, more than 0"),
        (["--seconds", "1", "--calls", "1"], "exclude each other"),
        (["--samples", "0"], "--samples takes a number from 1 up"), ([nile, "--samples", "5"], "exclude each other"),
        (["--column", "2"], "are for a file"), (["--format", "csv"], "are for a file"),
        (["--engine", "nope"], "nope"), (["--threshold", "-1"], "--threshold takes"),
        (["--threads", "0"], "--threads takes a number from 1 to 256"),
        (["--call", "nope"], "--call takes module:function or file.py:function, not 'nope'"),
        (["--call", ":nope"], "--call takes"), (["--call", "nope:"], "--call takes"),
        (["--call", "a:b", "--engine", "native"], "--call is for --engine embedded, not native"),
        (["--plot", "p.pdf"], "--plot takes a name that ends in .png or .svg"),
        ([nile], "choose one of the columns"),
    ])
    func `wrong usage is told`(arguments: [String], message: String) async throws {
        try await outliers(["soak"] + arguments, in: scratch.path).fails(64, message)
        #expect(try scratch.names.isEmpty)
    }

    @Test func `a file that is not there is told, and one with bad data`() async throws {
        try await outliers("soak", scratch["x.npy"], "--calls", "1").fails(66, scratch["x.npy"])
        let path = try scratch.file("x.csv", "1\nnan\n")
        for engine in engines {
            try await outliers("soak", path, "--engine", engine, "--calls", "1").fails(
                65, "x.csv: line 2", "--nan omit")
        }
        try await outliers("soak", path, "--nan", "omit", "--calls", "1").succeeds()
    }

    @Test func `a picture that cannot be written is told before the calls`() async throws {
        let path = scratch["missing/p.png"]
        try await outliers("soak", "--seconds", "600", "--plot", path).fails(73, path, "No such file")
    }

    @Test func `what Python lacks is told`() async throws {
        let bare = try await scratch.environment(name: "bare")
        for engine in ["embedded", "copying", "worker", "subprocess"] {
            try await outliers("soak", "--engine", engine, "--calls", "1", "--python-env", bare).fails(69, "numpy")
        }
        try await outliers("soak", "--engine", "native", "--calls", "1", "--python-env", bare).succeeds()
        let plain = try await scratch.environment("numpy", name: "plain")
        try await outliers("soak", "--calls", "1", "--python-env", plain, "--plot", scratch["p.png"])
            .fails(69, "--plot needs matplotlib")
    }

    @Test(
        arguments: [
            ("\(functions):fail_late", 65, "raised ValueError: the fifth call"),
            ("\(functions):nope", 69, "nope"), ("\(functions):not_callable", 69, "'not_callable' is not callable"),
            ("nope:nope", 69, "No module named 'nope'"), ("/nowhere/nope.py:nope", 69, "/nowhere/nope.py"),
            ("math:sqrt", 65, "math:sqrt raised TypeError"),
        ] as [(String, Int32, String)])
    func `a function that cannot be called is told, and one that raises`(
        call: String, code: Int32, message: String
    ) async throws {
        try await outliers("soak", "--call", call, "--calls", "10").fails(code, message)
    }
}
