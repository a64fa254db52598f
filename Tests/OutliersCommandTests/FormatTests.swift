import FoundationEssentials
import Testing

/// Which format it is, and where the bytes come from.
@Suite struct FormatTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private static let column = (0..<100).map { $0 == 42 ? "900\n" : "\($0 % 7)\n" }.joined()

    /// The same series in every format.
    private func write(_ format: String, _ name: String) async throws -> String {
        try await python(
            """
            import json, sys, numpy as np
            x = np.random.default_rng(1).normal(size=30_000)
            path, format = sys.argv[1:]
            if format == 'npy': np.save(open(path, 'wb'), x)
            if format == 'f64': x.tofile(path)
            if format in ('csv', 'tsv'): open(path, 'w').write(''.join('%r\\n' % v for v in x.tolist()))
            if format == 'json': json.dump(x.tolist(), open(path, 'w'))
            """, scratch[name], format)
        return scratch[name]
    }

    private static let expected = "x = np.random.default_rng(1).normal(size=30_000)"

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `the same samples give the same result in every format`(format: String) async throws {
        let path = try await write(format, "x.\(format)")
        let expected = try await numpyOutliers(Self.expected)
        for engine in engines {
            #expect(try await outliers("detect", path, "--engine", engine, "--indices").list() == expected, "\(engine)")
        }
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `an ending may be in capitals`(format: String) async throws {
        let path = try await write(format, "X.\(format.uppercased())")
        #expect(try await outliers("detect", path, "--engine", "native", "--json").report().samples == 30_000)
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `--format tells what an ending does not, and beats it`(format: String) async throws {
        for name in ["data", "data.txt", "data.npy"] {
            let path = try await write(format, name)
            let found = try await outliers("detect", path, "--format", format, "--engine", "native", "--json")
            #expect(try found.report().samples == 30_000)
        }
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"], ["cat \"$1\" |", "< \"$1\""])
    func `standard input is a pipe or a file`(format: String, source: String) async throws {
        let path = try await write(format, "x")
        let expected = try await numpyOutliers(Self.expected)
        for file in ["-", ""] {
            let found = try await shell(
                "\(source) \"$outliers\" detect \(file) --format \(format) --engine native --indices", path)
            #expect(try found.list() == expected)
        }
    }

    @Test func `standard input goes on where another program stopped`() async throws {
        let path = try scratch.file("x.csv", "1000\n1\n2\n3\n")
        let found = try await shell(
            "{ read first; \"$outliers\" detect --format csv --json --engine native; } < \"$1\"", path)
        #expect(try found.report().samples == 3)
    }

    @Test func `a pipe that delivers slowly is read to its end`() async throws {
        let found = try await shell(
            "{ printf 1; printf '0\\n2'; printf '0\\n'; } | \"$outliers\" detect --format csv --engine native --json")
        let report = try found.report()
        #expect(report.samples == 2)
        #expect(report.mean == 15)
    }

    @Test func `a writer to a named pipe is heard, however quick it is`() async throws {
        // The writer waits for a reader and writes at once: a reader that opened the pipe twice would cut it off.
        let printed = try await python(
            """
            import os, subprocess, sys
            path = sys.argv[1]
            os.mkfifo(path)
            heard = 0
            for _ in range(20):
                child = subprocess.Popen(['timeout', '20', os.environ['outliers'], 'detect', path, '--engine', 'native',
                    '--indices'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                while True:
                    try:
                        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                        break
                    except OSError:
                        if child.poll() is not None: break
                try:
                    os.write(pipe, b'1\\n2\\n3\\n')
                    os.close(pipe)
                except BrokenPipeError:
                    os.close(pipe)
                    child.kill()
                if child.communicate()[0] != b'[]\\n': break
                heard += 1
            print(heard)
            """, scratch["pipe.csv"])
        #expect(printed == "20\n")
    }

    @Test(arguments: [[], ["-"]])
    func `standard input without a format is wrong usage`(arguments: [String]) async throws {
        try await outliers(["detect"] + arguments, input: "1\n").fails(64, "standard input", "--format")
    }

    @Test(arguments: ["x", "x.txt", "x.csv.gz", "x.", ".csv/x", "x.csv/"])
    func `an ending that says nothing is wrong usage`(name: String) async throws {
        try await detect(scratch[name]).fails(64, scratch[name], "--format npy, csv, tsv, json or f64")
    }

    @Test(arguments: ["xls", "CSV", "", "n py"])
    func `a format that is unknown is named with those there are`(format: String) async throws {
        try await detect(nile, "--format", format)
            .fails(64, "--format", "'npy', 'csv', 'tsv', 'json' or 'f64'")
    }

    // MARK: f64

    @Test(arguments: engines)
    func `doubles one after the other are a series`(engine: String) async throws {
        try await python("import sys, numpy as np; np.r_[np.zeros(99), 7].tofile(sys.argv[1])", scratch["x.f64"])
        #expect(try await outliers("detect", scratch["x.f64"], "--engine", engine, "--indices").list() == [99])
    }

    @Test(arguments: [1, 7, 9, 8001])
    func `a length that is no whole number of doubles is bad data`(count: Int) async throws {
        let path = try scratch.file("x.f64", [UInt8](repeating: 0, count: count))
        try await detect(path).fails(65, path, "\(count) bytes", "8 bytes")
    }

    @Test func `doubles have one column`() async throws {
        let path = try scratch.file("x.f64", [UInt8](repeating: 0, count: 80))
        #expect(try await detect(path, "--column", "1", "--json").report().samples == 10)
        try await detect(path, "--column", "2").fails(65, path, "'2'")
    }
}
