import FoundationEssentials
import Testing

@Suite struct BenchTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func bench(_ arguments: String...) async throws -> Report { try await bench(arguments) }

    private func bench(_ arguments: [String]) async throws -> Report {
        let output = try await outliers(["bench", "--seconds", "0.2", "--json"] + arguments).succeeds()
        return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
    }

    /// What `--json` prints.
    private struct Report: Decodable {
        let system: System
        let data: String
        let threshold: Double
        let sizes: [Size]
        let unavailable: [Unavailable]

        struct System: Decodable {
            let date, cpu: String
            let cores: Int
            let stolenShare: Double
            let python, numpy: String?
        }

        struct Size: Decodable {
            let samples, outliers: Int
            let engines: [Row]
            let pick: Pick

            func row(_ engine: String) throws -> Row { try #require(engines.first { $0.engine == engine }) }
        }

        struct Row: Decodable {
            let engine: String
            let isIsolated: Bool
            let threads, runs: Int
            let median, lowerQuartile, upperQuartile, ratioToFastest: Double
            let ratioToOneLiner: Double?
            let bytesCopied, peakExtraBytes: Int
        }

        struct Pick: Decodable {
            let fastest, python, isolated: String?
        }

        struct Unavailable: Decodable {
            let engine: String
            let samples: Int?
            let reason: String
        }
    }

    // MARK: Figures

    @Test func `all take part, and are compared with the fastest and with the one-liner`() async throws {
        let report = try await bench("--sizes", "1e4,1000,1000")
        #expect(report.sizes.map(\.samples) == [1000, 10_000])
        #expect(report.unavailable.isEmpty)
        for size in report.sizes {
            #expect(size.outliers == 3)
            #expect(size.engines.map(\.engine) == contestants)
            let fastest = size.engines.map(\.median).min() ?? 0
            let oneLiner = try size.row("one-liner").median
            for row in size.engines {
                #expect(row.runs > 0 && row.lowerQuartile > 0)
                #expect(row.lowerQuartile <= row.median && row.median <= row.upperQuartile)
                #expect(abs(row.ratioToFastest - row.median / fastest) < 1e-9 * row.ratioToFastest)
                let ratio = try #require(row.ratioToOneLiner)
                #expect(abs(ratio - row.median / oneLiner) < 1e-9 * ratio)
                #expect(row.isIsolated == ["worker", "subprocess"].contains(row.engine))
            }
            func quickest(of names: String...) throws -> String? {
                try names.map(size.row).min { $0.median < $1.median }?.engine
            }
            #expect(try size.pick.fastest == quickest(of: "embedded", "copying", "native"))
            #expect(try size.pick.python == quickest(of: "embedded", "copying"))
            #expect(try size.pick.isolated == quickest(of: "worker", "subprocess"))
        }
    }

    @Test func `embedded and native run on two threads too where there are samples enough`() async throws {
        let arguments = ["--sizes", "1000,1e6,2e6", "--engines", "native,embedded,worker"]
        let sizes = try await bench(arguments).sizes
        func names(_ size: Report.Size) -> [String] { size.engines.map { "\($0.engine) \($0.threads)" } }
        #expect(sizes.map(names).first == ["native 1", "embedded 1", "worker 1"])
        #expect(sizes.map(names)[1] == ["native 1", "native 2", "embedded 1", "embedded 2", "worker 1"])
        #expect(sizes.map(names).last == ["native 1", "native 2", "embedded 1", "embedded 2", "worker 1"])
        for row in sizes.flatMap(\.engines) { #expect(row.peakExtraBytes < 2 << 20) }
        #expect(try await bench(arguments + ["--threads", "1"]).sizes.map(\.engines.count) == [3, 3, 3])
        let table = try await outliers(
            "bench", "--sizes", "3e6", "--engines", "native", "--threads", "3", "--seconds", "0.1")
        #expect(table.succeeds().contains(#/(?m)^native, 3 threads  +\d/#))
    }

    @Test func `what each copies is what the ledger counts`() async throws {
        let size = try #require(try await bench("--sizes", "10000").sizes.first)
        for engine in ["embedded", "worker", "native"] { #expect(try size.row(engine).bytesCopied == 0) }
        #expect(try size.row("one-liner").bytesCopied == 3 * 8)
        // Every sample in, every index out, and the names of two keywords with the value of one.
        #expect(try size.row("copying").bytesCopied == (10_000 + 3) * 8 + "thresholdnanraise".utf8.count)
        // Some 18 digits, a point and a comma for each.
        #expect((150_000..<250_000).contains(try size.row("subprocess").bytesCopied))
    }

    @Test func `memory grows with the samples where arrays are made, and nowhere else`() async throws {
        let size = try #require(
            try await bench("--sizes", "1000000", "--engines", "embedded,native,worker,copying,one-liner").sizes.first)
        for engine in ["embedded", "worker", "native"] { #expect(try size.row(engine).peakExtraBytes < 2 << 20) }
        // Two arrays of a million at a time, of which it may have had a part before.
        #expect(try size.row("one-liner").peakExtraBytes > 10_000_000)
        // A pointer and a float of 24 bytes for each.
        #expect(try size.row("copying").peakExtraBytes > 30_000_000)
    }

    @Test func `a process for each detection counts whole`() async throws {
        let size = try #require(try await bench("--sizes", "1000", "--engines", "subprocess").sizes.first)
        #expect((10 << 20..<200 << 20).contains(try size.row("subprocess").peakExtraBytes))
    }

    @Test func `normal samples have some in a hundred outliers`() async throws {
        let report = try await bench("--data", "normal", "--sizes", "100000", "--engines", "native,embedded,one-liner")
        #expect(report.data == "normal")
        let size = try #require(report.sizes.first)
        #expect((4300..<4800).contains(size.outliers))
        #expect(try size.row("one-liner").bytesCopied == 8 * size.outliers)
        let none = try await bench("--data", "normal", "--sizes", "1000", "--engines", "native", "--threshold", "9")
        #expect(none.threshold == 9)
        #expect(none.sizes.first?.outliers == 0)
    }

    @Test func `when, on what and with which versions is told`() async throws {
        let system = try await bench("--sizes", "1", "--engines", "native,embedded").system
        #expect(system.date.contains(#/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/#))
        #expect(!system.cpu.isEmpty && !system.cpu.contains("\n"))
        #expect(system.cores > 0)
        #expect((0...1).contains(system.stolenShare))
        let versions = try await python("import platform, numpy; print(platform.python_version(), numpy.__version__)")
        #expect("\(system.python ?? "") \(system.numpy ?? "")\n" == versions)
    }

    // MARK: Output

    @Test func `a table for each size says which engine to pick`() async throws {
        let output = try await outliers(
            "bench", "--sizes", "1000,2000", "--engines", "native,embedded,worker,one-liner", "--seconds", "0.2"
        ).succeeds()
        let lines = output.split(separator: "\n")
        #expect(lines[0].contains(#/^CPython 3\.\d+\.\d+, numpy .*, \d+ cores?( \(\d+ % of the time stolen\))?, 20/#))
        #expect(lines[1] == "uniform samples, threshold 2.0")
        #expect(lines[2] == "1,000 samples (7.81 KiB), 3 outliers")
        #expect(lines[3].hasPrefix("engine ") && lines[3].hasSuffix("extra memory"))
        for (line, engine) in zip(lines[4..<8], ["native", "embedded", "worker", "one-liner"]) {
            let time = #/[\d.,]+ (ns|µs|ms|s)/#
            #expect(line.hasPrefix("\(engine) "))
            #expect(line.matches(of: time).count == 3)
            #expect(line.contains(#/  [\d.,]+ ([KM]i)?B  +[\d.,]+ ([KM]i)?B$/#))
        }
        #expect(Set(lines[3..<8].map(\.count)).count == 1)
        // Which of the two is faster depends on what else the machine does.
        let picks = lines[8].split(separator: "; ")
        #expect(["pick: native", "pick: embedded"].contains(picks[0]))
        #expect(
            picks.dropFirst() == [
                "embedded where it has to be Python", "worker where a crash must not take the program with it",
            ])
        #expect(lines[9].hasPrefix("2,000 samples"))
        #expect(lines.count == 16)
    }

    @Test func `a picture has a line for the time and one for the memory of each`() async throws {
        let path = scratch["p.svg"]
        _ = try await outliers(
            "bench", "--sizes", "1000,2000", "--engines", "native,one-liner", "--seconds", "0.1", "--plot", path
        ).succeeds()
        let picture = String(decoding: try scratch.contents("p.svg"), as: UTF8.self)
        for part in ["time-native", "time-one-liner", "memory-native", "memory-one-liner"] {
            #expect(picture.contains("id=\"\(part)\""))
        }
        #expect(!picture.contains("embedded"))
        #expect(try scratch.names == ["p.svg"])
    }

    @Test func `a terminal shows what is measured, and nothing of it in the end`() async throws {
        var run = Terminal("bench", "--sizes", "1000,2000", "--engines", "native,embedded", "--seconds", "2", "--json")
        run.terminal = true
        run.columns = 500
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.output.hasPrefix("{"))
        #expect(end.error.hasSuffix(Terminal.erased))
        let lines = end.error.split(separator: "\r").dropLast().map {
            $0.wholeMatch(of: #/measuring (\d+) %: (memory of )?(native|embedded) on [12],000 samples/#)
        }
        #expect(lines.count >= 3 && lines.allSatisfy { $0 != nil })
        let percents = lines.map { $0.flatMap { Int($0.1) } ?? -1 }
        #expect(zip(percents, percents.dropFirst()).allSatisfy { $0 <= $1 })
    }

    // MARK: What cannot run

    @Test func `what needs numpy is left out where there is none`() async throws {
        let environment = try await scratch.environment()
        let arguments = ["--sizes", "1000", "--seconds", "0.1", "--python-env", environment]
        let output = try await outliers(["bench"] + arguments).succeeds()
        for engine in contestants where engine != "native" {
            #expect(output.contains(try Regex("(?m)^\(engine) cannot run.*: .*numpy")))
            #expect(!output.contains(try Regex("(?m)^\(engine)  +\\d")))
        }
        #expect(output.contains(#/(?m)^native  +\d/#))
        #expect(output.contains("pick: native\n"))
        try await outliers(["bench", "--engines", "embedded"] + arguments).fails(69, "numpy", "doctor")
        try await outliers(["bench", "--engines", "worker,subprocess"] + arguments).fails(69, "numpy")
        try await outliers(["bench", "--engines", "one-liner"] + arguments).fails(69, "numpy")
    }

    @Test func `native alone needs no Python`() async throws {
        let report = try await bench("--sizes", "10", "--engines", "native", "--python-env", "/nowhere")
        #expect(report.sizes.first?.engines.count == 1)
        #expect(report.sizes.first?.pick.python == nil)
        #expect(report.system.numpy == nil)
    }

    @Test func `engines that disagree are an error`() async throws {
        let program = try copyOfProgram(
            beside: """
                def detect_into(samples, indices, **keywords):
                    for place, index in enumerate([7, 112, 835]): indices[place] = index
                    return 3
                detect_allocating = detect_into
                def detect(samples, **keywords): return [7, 113]
                def moments(samples, **keywords): return 0.0, 1.0
                """)
        for (engine, found, first) in [("embedded", 3, 112), ("copying", 2, 835)] {
            let run = try await outliers(
                "bench", "--sizes", "1000", "--engines", "native,\(engine)", program: program)
            run.fails(70, "\(engine) and native disagree on 1000 samples", "\(found) and 3", "sample \(first)")
        }
    }

    @Test func `a picture is refused before anything is measured`() async throws {
        let environment = try await scratch.environment("numpy")
        let plot = ["bench", "--seconds", "100000", "--plot"]
        try await outliers(plot + [scratch["p.pdf"]]).fails(64, "--plot", ".png or .svg")
        try await outliers(plot + ["/nowhere/p.png"]).fails(73, "/nowhere/p.png")
        try await outliers(plot + [scratch["p.png"], "--python-env", environment])
            .fails(69, "--plot needs matplotlib", "-m pip install matplotlib")
        try await outliers(plot + [scratch["p.png"], "--engines", "native", "--python-env", "/nowhere"])
            .fails(69, "/nowhere")
        #expect(try scratch.names == ["env"])
    }

    @Test(arguments: ["", "0", "-5", "x", "1.5", "1,,2", "1000,", "nan", "inf", "1e300", "99999999999999999999"])
    func `sizes that are none are refused`(text: String) async throws {
        try await outliers("bench", "--sizes", text).fails(64, "'\(text)'", "--sizes", "numbers of samples from 1 up")
    }

    @Test(arguments: ["", "quick", "native,", "native,quick", "Native", "native embedded"])
    func `engines that are none are refused`(text: String) async throws {
        try await outliers("bench", "--engines", text)
            .fails(64, "'\(text)'", "--engines", contestants.joined(separator: ","))
    }

    @Test(arguments: [
        ["--seconds", "0"], ["--seconds", "-1"], ["--seconds", "nan"], ["--seconds", "x"], ["--threshold", "-1"],
        ["--threshold", "inf"], ["--threads", "0"], ["--threads", "-2"], ["--threads", "257"], ["--data", "pink"],
        ["--json", "yes"],
    ])
    func `other options are refused likewise`(arguments: [String]) async throws {
        try await outliers(["bench"] + arguments).fails(64, arguments[1] == "yes" ? "yes" : arguments[0])
    }

    @Test func `samples that no memory holds are an error`() async throws {
        try await outliers("bench", "--sizes", "1e12", "--engines", "native").fails(
            69, "generated samples", "8000000000000 bytes")
    }

    // MARK: Ctrl-C

    @Test(.timeLimit(.minutes(10))) func `a signal ends a turn`() async throws {
        var run = Terminal("bench", "--sizes", "1000000", "--engines", "copying", "--seconds", "1000")
        run.command += ["--plot", scratch["p.png"]]
        run.terminal = true
        run.text = "copying on"
        run.signals = ["SIGINT"]
        try await run.run().wasInterrupted(by: 2)
        #expect(try scratch.names.isEmpty)
    }

    @Test(.timeLimit(.minutes(10))) func `a signal ends the process for the memory, and what that has started`()
        async throws
    {
        let directory = try scratch.directory("copy")
        let program = try copyOfProgram(
            beside: "",
            """
            import os, time
            with open(f'/proc/{os.getppid()}/cmdline', 'rb') as file: parent = file.read()
            if b'measure-detection' in parent:
                open('\(directory)/begun', 'w').close()
                time.sleep(600)
            print('{"indices": [], "mean": 0, "standardDeviation": 1}')
            """)
        // By its path the processes are found.
        let environment = try scratch.link("env", to: Program.virtualEnvironment)
        var run = Terminal()
        run.command = [program, "bench", "--sizes", "1000", "--engines", "subprocess", "--seconds", "0.001"]
        run.command += ["--python-env", environment]
        run.terminal = true
        run.file = directory + "/begun"
        run.signals = ["SIGINT"]
        try await run.run().wasInterrupted(by: 2)
        let left = try await python(
            """
            import glob, os, sys, time
            def left():
                for path in glob.glob('/proc/[0-9]*/cmdline'):
                    if path == f'/proc/{os.getpid()}/cmdline': continue
                    try: text = open(path).read()
                    except OSError: continue
                    if sys.argv[1] in text: yield text
            end = time.monotonic() + 10
            while list(left()) and time.monotonic() < end: time.sleep(0.01)
            print(list(left()))
            """, environment)
        #expect(left == "[]\n")
    }

    // MARK: Support

    /// A copy of the program beside a package `pyoutliers` that consists of this; its path.
    private func copyOfProgram(beside source: String, _ main: String = "") throws -> String {
        let program = try scratch.directory("copy") + "/outliers"
        try FileManager.default.copyItem(atPath: Program.path, toPath: program)
        _ = try scratch.directory("copy/pyoutliers")
        _ = try scratch.file("copy/pyoutliers/__init__.py", source)
        _ = try scratch.file("copy/pyoutliers/__main__.py", main)
        return program
    }
}

private let contestants = ["embedded", "copying", "worker", "subprocess", "native", "one-liner"]
