import FoundationEssentials
import Testing

/// Input that is larger than what the program may have of memory, and long results.
@Suite struct LargeInputTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// What `Tests/Fixtures/peak.py` takes.
    private struct Run: Encodable {
        var command: [String]
        var source: String?

        /// What it prints.
        struct End: Decodable {
            let status: Int32
            let output: String
            let error: String
            let anonymous: Int
            let files: [String]
        }
    }

    /// Runs the program in its limit of memory.
    ///
    /// - Parameter source: A shell command that writes to standard input.
    private func run(
        _ arguments: String..., source: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Run.End {
        let run = Run(command: ["env", "TMPDIR=\(scratch.path)", Program.path] + arguments, source: source)
        let printed = try await python(
            "import runpy, sys; sys.argv[0:1] = []; runpy.run_path('\(Program.checkout)/Tests/Fixtures/peak.py')",
            "peak.py", String(decoding: try JSONEncoder().encode(run), as: UTF8.self))
        let end = try JSONDecoder().decode(Run.End.self, from: Data(printed.utf8))
        #expect(end.status == 0, sourceLocation: sourceLocation)
        #expect(end.error == "", sourceLocation: sourceLocation)
        #expect(end.anonymous > 0 && end.anonymous < Self.limit, sourceLocation: sourceLocation)
        return end
    }

    /// 64 MiB, or more under a sanitizer, which keeps what was freed.
    private static let limit = Program.environment["ASAN_OPTIONS"] == nil ? 64 << 20 : 1 << 30

    /// Writes a `.npy` of zeros that takes no room, with some ones in it.
    private func sparse(_ name: String, count: Int, ones: [Int]) async throws -> String {
        try await python(
            """
            import sys
            count = \(count)
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % count
            header += b' ' * (117 - len(header)) + b'\\n'
            with open(sys.argv[1], 'wb') as file:
                file.write(b'\\x93NUMPY\\x01\\x00' + len(header).to_bytes(2, 'little') + header)
                file.truncate(128 + count * 8)
                for index in \(ones):
                    file.seek(128 + index * 8)
                    file.write(b'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?')
            """, scratch[name])
        return scratch[name]
    }

    // MARK: Files

    @Test(arguments: ["native", "embedded", "worker"])
    func `a file of a gigabyte takes a few megabytes`(engine: String) async throws {
        let path = try await sparse("x.npy", count: 1 << 27, ones: [0, 77_000_000, (1 << 27) - 1])
        let end = try await run("detect", path, "--engine", engine, "--indices")
        #expect(end.output == "[0, 77000000, 134217727]\n")
        #expect(end.files == [])
    }

    @Test(arguments: ["csv", "json"])
    func `five million samples of a text are kept in a temporary file`(format: String) async throws {
        try await python(
            """
            import sys
            separator = {'csv': '\\n', 'json': ','}[sys.argv[2]]
            with open(sys.argv[1], 'w') as file:
                if sys.argv[2] == 'json': file.write('[')
                for _ in range(50): file.write(('1.5' + separator) * 100_000)
                file.write('9')
                if sys.argv[2] == 'json': file.write(']')
            """, scratch["x.\(format)"], format)
        let end = try await run("detect", scratch["x.\(format)"], "--engine", "native", "--indices")
        #expect(end.output == "[5000000]\n")
        #expect(end.files.count == 1)
        #expect(end.files.allSatisfy { $0.hasPrefix(scratch.path + "/") })
        #expect(try scratch.names == ["x.\(format)"])
    }

    // MARK: Pipes

    @Test(arguments: ["native", "embedded", "worker"])
    func `an array comes through a pipe into a temporary file`(engine: String) async throws {
        let path = try await sparse("x.npy", count: 20_000_000, ones: [7, 19_999_999])
        for (format, source) in [("npy", "cat"), ("f64", "tail -c +129")] {
            let end = try await run(
                "detect", "--format", format, "--engine", engine, "--indices", source: "\(source) '\(path)'")
            #expect(end.output == "[7, 19999999]\n")
            #expect(end.files.count == 1)
            #expect(end.files.allSatisfy { $0.hasPrefix(scratch.path + "/") })
        }
        #expect(try scratch.names == ["x.npy"])
    }

    @Test(arguments: [
        ("csv", "yes 1.5 | head -n 5000000; echo 9"), ("tsv", "yes '1.5\t2' | head -n 5000000; printf '9\t2'"),
        ("json", "echo '['; yes 1.5, | head -n 5000000; echo '9]'"),
        ("json", "echo '{\"a\": ['; yes 1.5, | head -n 5000000; echo '9], \"b\": []}'"),
    ])
    func `five million samples of text come through a pipe`(format: String, source: String) async throws {
        let end = try await run(
            "detect", "--format", format, "--column", format == "json" && source.contains("{") ? "a" : "1", "--engine",
            "native", "--indices", source: source)
        #expect(end.output == "[5000000]\n")
        #expect(end.files.count == 2)
        #expect(try scratch.names == [])
    }

    @Test func `five million empty lines are missing samples`() async throws {
        let end = try await run(
            "detect", "--format", "csv", "--nan", "omit", "--engine", "native", "--json",
            source: "echo 1; yes '' | head -n 5000000; echo 3")
        #expect(end.output.contains("\"samples\":5000002,\"mean\":2,"))
    }

    @Test func `little needs no temporary file`() async throws {
        let source = "head -c 16000000 /dev/zero"
        let end = try await run("detect", "--format", "f64", "--engine", "native", "--indices", source: source)
        #expect(end.output == "[]\n")
        #expect(end.files == [])
        let elsewhere = try await shell(
            "\(source) | TMPDIR=/nowhere \"$outliers\" detect --format f64 --engine native --indices")
        #expect(elsewhere.succeeds() == "[]\n")
    }

    // MARK: Temporary files that cannot be

    @Test(arguments: [
        ("/nowhere/at all", "cannot be made: No such file or directory"),
        ("/dev/full", "cannot be made: Not a directory"),
        ("/proc", "cannot be made: "),
    ])
    func `a folder that takes no temporary file is named`(folder: String, reason: String) async throws {
        try await shell("head -c 17000000 /dev/zero | TMPDIR=$1 \"$outliers\" detect --format f64", folder)
            .fails(73, "standard input: its temporary file in '\(folder)' \(reason)", "set TMPDIR")
    }

    @Test func `a temporary file that has no room is told`() async throws {
        let program = try await shell(
            "ulimit -f 20000; yes 1 | head -n 10000000 | TMPDIR=$1 \"$outliers\" detect --format csv --indices",
            scratch.path)
        program.fails(73, "temporary file in '\(scratch.path)' cannot be written: File too large", "set TMPDIR")
        #expect(try scratch.names == [])
    }

    @Test(arguments: ["SIGINT", "SIGTERM"])
    func `nothing is left of a temporary file when a signal comes`(signal: String) async throws {
        var run = Terminal("detect", "--format", "f64")
        run.command = ["env", "TMPDIR=\(scratch.path)"] + run.command
        // The pipe holds less than what is beyond the first 16 MiB: when all is written, the program has begun its file.
        (run.input, run.times) = ("12345678", 2_500_000)
        run.signals = [signal]
        try await run.run().wasInterrupted(by: signal == "SIGINT" ? 2 : 15)
        #expect(try scratch.names == [])
    }

    // MARK: Long results

    @Test(arguments: ["--indices", "--json"])
    func `a list of millions of indices is not made before it is printed`(option: String) async throws {
        let path = scratch["x.npy"]
        try await python("import sys, numpy as np; np.save(sys.argv[1], np.tile(np.int8([0, 2]), 4_000_000))", path)
        let output = scratch["o.npy"]
        // The indices are 64 MB, and their text is as much again.
        let program = try await shell(
            """
            ulimit -d 200000
            OPENBLAS_NUM_THREADS=1 "$outliers" detect "$1" --threshold 0.5 \(option) --output "$2" | md5sum
            """, path, output)
        let expected = try await python(
            """
            import hashlib, sys, numpy as np
            x = np.load(sys.argv[1])
            assert (x == np.arange(8_000_000)).all()
            text = ', '.join(map(str, range(8_000_000)))
            if sys.argv[2] == '--indices': text = '[' + text + ']\\n'
            else: text = ('{"count":8000000,"indices":[' + text.replace(' ', '') + '],"samples":8000000,"mean":1,'
                '"standardDeviation":1,"threshold":0.5,"engine":"embedded"}\\n')
            print(hashlib.md5(text.encode()).hexdigest() + '  -')
            """, output, option)
        #expect(program.output == expected)
        #expect(program.error == "")
    }
}
