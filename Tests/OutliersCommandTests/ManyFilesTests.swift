import FoundationEssentials
import Testing

/// `outliers detect a.npy b.csv …`: what is printed of each, and what one bad file does to the others.
@Suite struct ManyFilesTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// Five files of random samples, and what numpy finds in each.
    private func series() async throws -> [(path: String, indices: [Int])] {
        var series: [(path: String, indices: [Int])] = []
        for seed in 0..<5 {
            let path = try await scratch.numpy("\(seed).npy", "np.random.default_rng(\(seed)).normal(size=1000)")
            series.append((path, try await numpyOutliers("x = np.load(path)", path: path)))
        }
        return series
    }

    @Test(arguments: [[], ["--engine", "native"], ["--workers", "1"], ["--workers", "2"], ["--workers", "9"]])
    func `each file is told in its place, whoever searches it`(options: [String]) async throws {
        let series = try await series()
        let run = try await outliers(["detect", "--indices"] + series.map(\.path) + options)
        let expected = series.map { "\($0.path): \($0.indices)\n" }.joined()
        #expect(run.succeeds() == expected)
    }

    @Test func `as JSON there is a line for each file, with its name`() async throws {
        struct Line: Decodable {
            let file: String
            let indices: [Int]
            let samples: Int
            let engine: String
        }
        let name = "a \"quoted\"\u{1}\\ name.csv"
        let odd = try scratch.file(name, "1\n")
        let output = try await outliers("detect", nile, odd, "--column", "1", "--json", "--workers", "2").succeeds()
        let lines = try output.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(lines.map(\.file) == [nile, odd])
        #expect(lines.map(\.samples) == [100, 1])
        #expect(lines.map(\.engine) == ["worker", "worker"])
    }

    @Test func `a table has the file's name above it`() async throws {
        let output = try await outliers("detect", nile, nile, "--column", "volume").succeeds()
        #expect(output.split(separator: "\n").filter { $0 == nile }.count == 2)
        #expect(output.split(separator: "\n").filter { $0 == "[8, 24, 42]" }.count == 2)
    }

    @Test(arguments: [[], ["--workers", "2"]])
    func `one bad file does not stop the others`(options: [String]) async throws {
        let bad = try scratch.file("bad.csv", "volume\n1\nx\n")
        let files = [nile, bad, scratch["missing.csv"], nile]
        let run = try await outliers(["detect", "--column", "volume", "--indices"] + files + options)
        #expect(run.code == 65)
        #expect(run.output == "\(nile): [8, 24, 42]\n\(nile): [8, 24, 42]\n")
        let lines = run.error.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0] == "outliers: \(bad): line 3, column 'volume': 'x' is not a number")
        #expect(lines[1] == "outliers: \(files[2]): No such file or directory")
        #expect(lines[2] == "outliers: 2 of 4 files failed")
    }

    @Test func `a worker that crashes in one file does not stop the others`() async throws {
        let environment = try await scratch.environment(
            modules: [
                "numpy/__init__.py": """
                import os
                try:
                    os.close(os.open('\(scratch["crashed"])', os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    import sys
                    del sys.modules["numpy"]
                    sys.path[:] = ['\(Program.virtualEnvironment)/lib/python%d.%d/site-packages' % sys.version_info[:2]] + sys.path
                    import numpy
                else:
                    os.abort()
                """
            ])
        let run = try await outliers(
            "detect", nile, nile, "--column", "2", "--indices", "--workers", "1", "--python-env", environment)
        #expect(run.code == 69)
        #expect(run.output == "\(nile): [8, 24, 42]\n")
        #expect(run.error.contains("the worker ended by SIGABRT: Fatal Python error: Aborted"))
    }

    @Test func `a directory does not stop the others`() async throws {
        let directory = try scratch.directory("folder")
        let run = try await outliers("detect", nile, directory, nile, "--column", "2", "--indices")
        #expect(run.code == 66)
        #expect(run.output == "\(nile): [8, 24, 42]\n\(nile): [8, 24, 42]\n")
        #expect(run.error.hasPrefix("outliers: \(directory): Is a directory\n"))
    }

    @Test(arguments: ["worker", "subprocess"])
    func `each file is named when Python lacks a package`(engine: String) async throws {
        let environment = try await scratch.environment()
        let other = try scratch.file("other.csv", "1\n2\n")
        let run = try await outliers(
            "detect", nile, other, "--column", "1", "--engine", engine, "--python-env", environment)
        #expect(run.code == 69)
        let lines = run.error.split(separator: "\n")
        #expect(lines.count == 3)
        for (line, file) in zip(lines, [nile, other]) {
            #expect(line.hasPrefix("outliers: \(file): ") && line.contains("No module named 'numpy'"))
        }
    }

    @Test(arguments: [("-S", "12"), ("-H", "1")])
    func `workers have the descriptors that they need, or are fewer`(limit: String, workers: String) async throws {
        // Twelve workers need more than eighty, one does not.
        let run = try await shell(
            """
            ulimit -S -n 80 && ulimit \(limit) -n 80 && nile=$1
            set --; i=0; while [ $i -lt 12 ]; do set -- "$@" "$nile"; i=$((i + 1)); done
            export OUTLIERS_LOG_LEVEL=debug
            "$outliers" detect "$@" --column 2 --indices --workers 12
            """, nile)
        #expect(run.code == 0, "\(run.error)")
        #expect(run.output == String(repeating: "\(nile): [8, 24, 42]\n", count: 12))
        #expect(run.error.contains("workers: 1, ") == (workers == "1"))
    }

    @Test func `a terminal shows a bar for all of them`() async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(3_000_000, np.int8), np.int8(9)]")
        var run = Terminal("detect", path, path, path, "--workers", "2", "--indices")
        run.terminal = true
        run.columns = 500
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.output == String(repeating: "\(path): [3000000]\n", count: 3))
        let lines = end.error.split(separator: "\r").filter { $0.hasPrefix("searching") }
        #expect(lines.count >= 3)
        let percents = lines.map { $0.wholeMatch(of: #/searching 3 files \[(#*)(-*)\] (\d+) %( [\d:]+ left)?/#) }
        #expect(percents.allSatisfy { $0 != nil && $0?.1.count == (Int($0?.3 ?? "") ?? -1) / 5 })
        #expect(percents.last??.3 == "100")
    }

    @Test(arguments: [
        (["a.csv", "b.csv", "--output", "x.npy"], "--output and --plot are for one file"),
        (["a.csv", "b.csv", "--plot", "x.png"], "--output and --plot are for one file"),
        (["-", "-", "--format", "csv"], "standard input can be read once"),
        (["a.csv", "b.what"], "the ending of 'b.what' does not tell the format"),
        (["a.csv", "--workers", "0"], "--workers takes a number from 1 to 256"),
        (["a.csv", "--workers", "2", "--engine", "native"], "--workers is for --engine worker, not native"),
        (["a.csv", "--timeout", "0"], "--timeout takes seconds, more than 0"),
        (["a.csv", "--workers", "-1"], "--workers takes a number from 1 to 256"),
        (["a.csv", "--timeout", "-1"], "--timeout takes seconds, more than 0"),
        (["a.csv", "--timeout", "-0.5"], "--timeout takes seconds, more than 0"),
        (["a.csv", "--threads", "0"], "--threads takes a number from 1 to 256"),
        (["a.csv", "--threads", "-1"], "--threads takes a number from 1 to 256"),
        (["a.csv", "--threads", "257"], "--threads takes a number from 1 to 256"),
        (["a.csv", "--threads", "two"], "--threads"),
        (["a.csv", "--timeout", "nan"], "--timeout takes seconds, more than 0"),
    ])
    func `wrong usage is told before any file is read`(arguments: [String], message: String) async throws {
        try await outliers(["detect"] + arguments).fails(64, message)
    }

    @Test(arguments: engines + ["subprocess"])
    func `a detection that takes longer than it may is ended`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros(3_000_000)")
        try await outliers("detect", path, "--engine", engine, "--timeout", "0.0001")
            .fails(75, "\(path): the detection took longer than 0.0001 seconds")
        #expect(
            try await outliers("detect", path, "--engine", engine, "--timeout", "600", "--indices").succeeds() == "[]\n"
        )
    }
}
