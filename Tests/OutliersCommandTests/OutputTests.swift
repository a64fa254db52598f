import FoundationEssentials
import Testing

@Suite struct OutputTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func detectNile(_ arguments: String...) async throws -> Program {
        try await outliers(["detect", nile, "--column", "volume"] + arguments)
    }

    @Test(arguments: engines)
    func `the JSON has the documented keys in their order, and numpy's values`(engine: String) async throws {
        let program = try await detectNile("--json", "--engine", engine)
        let report = try program.report()
        #expect(program.output.filter(\.isNewline).count == 1)
        let printed = try await python(
            """
            import json, sys, numpy as np
            report = json.loads(sys.argv[1])
            x = np.loadtxt(sys.argv[2], delimiter=',', skiprows=1)[:, 1]
            assert abs(report['mean'] - x.mean()) < 1e-9 and abs(report['standardDeviation'] - x.std()) < 1e-9
            print(list(report))
            """, program.output, nile)
        #expect(
            printed == "['count', 'indices', 'samples', 'mean', 'standardDeviation', 'threshold', 'engine']\n")
        #expect(report.count == 3)
        #expect(report.indices == [8, 24, 42])
        #expect(report.samples == 100)
        #expect(report.threshold == 2)
        #expect(report.engine == engine)
    }

    @Test(arguments: engines)
    func `the table says how many there are, and each index with its value`(engine: String) async throws {
        let table = try await detectNile("--engine", engine).succeeds()
        #expect(table.hasPrefix("3 of 100 samples are further than 2 standard deviations from the mean\n"))
        #expect(table.contains("mean 919.35, standard deviation 168.379"))
        #expect(table.contains("(engine: \(engine))"))
        #expect(table.contains(#/\n +42 +456\n/#))
        #expect(table.hasSuffix("\n[8, 24, 42]\n"))
    }

    @Test func `a long table is cut and says how many more there are`() async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(1000), np.full(30, 9.0)]")
        let table = try await outliers("detect", path, "--engine", "native").succeeds()
        #expect(table.contains("10 more: --indices prints them all\n"))
        #expect(table.hasSuffix("1018, 1019, …]\n"))
    }

    @Test func `the list is nothing but the list`() async throws {
        #expect(try await detectNile("--indices").succeeds() == "[8, 24, 42]\n")
    }

    @Test func `an empty list is printed as a list`() async throws {
        #expect(try await detectNile("--indices", "--threshold", "9").succeeds() == "[]\n")
    }

    // MARK: --output

    @Test(arguments: engines)
    func `numpy reads the indices that were written as int64`(engine: String) async throws {
        try await detectNile("--output", scratch["o.npy"], "--engine", engine).succeeds()
        let printed = try await python(
            "import sys, numpy as np; x = np.load(sys.argv[1]); print(x.dtype.str, x.shape, x.tolist())",
            scratch["o.npy"])
        #expect(printed == "<i8 (3,) [8, 24, 42]\n")
    }

    @Test func `an empty result is an empty array`() async throws {
        try await detectNile("--output", scratch["o.npy"], "--threshold", "9").succeeds()
        let printed = try await python(
            "import sys, numpy as np; x = np.load(sys.argv[1]); print(x.dtype.str, x.shape)", scratch["o.npy"])
        #expect(printed == "<i8 (0,)\n")
    }

    @Test func `a result of a million indices is written whole`() async throws {
        let path = try await scratch.numpy("x.npy", "np.tile([1.0, 2.0], 500_000)")
        try await outliers("detect", path, "--threshold", "0", "--engine", "native", "--output", scratch["o.npy"])
            .succeeds()
        try await python(
            "import sys, numpy as np; assert np.array_equal(np.load(sys.argv[1]), np.arange(1_000_000))",
            scratch["o.npy"])
    }

    @Test func `an output file that was longer before is replaced`() async throws {
        let path = try scratch.file("o.npy", String(repeating: "x", count: 5000))
        try await detectNile("--output", path).succeeds()
        #expect(try scratch.contents("o.npy").count == 128 + 3 * 8)
    }

    @Test(arguments: [["--indices"], ["--json"], []])
    func `the output may replace the input`(style: [String]) async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(100_000), 9.0, 8.0]")
        try await outliers(["detect", path, "--output", path] + style).succeeds()
        let printed = try await python("import sys, numpy as np; print(np.load(sys.argv[1]).tolist())", path)
        #expect(printed == "[100000, 100001]\n")
    }

    @Test func `an output in a missing directory cannot be written`() async throws {
        try await detectNile("--output", scratch["missing/o.npy"]).fails(73, scratch["missing/o.npy"], "No such file")
    }

    @Test func `an output that is a directory cannot be written`() async throws {
        try await detectNile("--output", try scratch.directory("d.npy")).fails(73, "d.npy", "Is a directory")
    }

    @Test func `an output on a full device cannot be written`() async throws {
        try await detectNile("--output", try scratch.link("full.npy", to: "/dev/full"))
            .fails(73, "full.npy", "No space left on device")
    }

    // MARK: Files that are there

    /// Runs Python on the folder after a detection whose list replaces `o.npy`, and whose picture `p.svg`.
    private func replacing(before: String, after: String) async throws -> String {
        try await python("import os\n" + before, in: scratch.path)
        try await outliers(
            ["detect", nile, "--column", "volume", "--output", "o.npy", "--plot", "p.svg"], in: scratch.path
        ).succeeds()
        return try await python("import os\n" + after, in: scratch.path)
    }

    @Test(arguments: ["0o640", "0o606", "0o777"])
    func `a file that is replaced keeps its mode`(mode: String) async throws {
        let printed = try await replacing(
            before: "for name in ['o.npy', 'p.svg']: open(name, 'w').close(); os.chmod(name, \(mode))",
            after: "print([oct(os.stat(name).st_mode & 0o7777) for name in sorted(os.listdir())])")
        #expect(printed == "['\(mode)', '\(mode)']\n")
    }

    @Test func `a new file has the mode that the umask leaves it`() async throws {
        _ = try await shell(
            "umask 027; exec \"$outliers\" detect \"$1\" --column 2 --output o.npy --plot p.svg", nile, in: scratch.path
        )
        let modes = try await python(
            "import os; print([oct(os.stat(name).st_mode & 0o7777) for name in sorted(os.listdir())])", in: scratch.path
        )
        #expect(modes == "['0o640', '0o640']\n")
    }

    @Test(arguments: ["open('d/x', 'w').write('before')", ""])
    func `a link stays one, and what it leads to is replaced`(before: String) async throws {
        let printed = try await replacing(
            before: """
                os.mkdir('d')
                \(before)
                os.symlink('x', 'd/y')
                os.symlink('d/y', 'o.npy')
                """,
            after: "print(os.readlink('o.npy'), os.readlink('d/y'), sorted(os.listdir('d')), os.path.getsize('d/x'))")
        #expect(printed == "d/y x ['x', 'y'] 152\n")
    }

    @Test(arguments: [("--output", "o.npy"), ("--plot", "p.png"), ("--plot", "p.svg")])
    func `a file that cannot be written whole leaves the one that was there`(option: String, name: String) async throws
    {
        _ = try scratch.file(name, "before")
        let path = try await scratch.numpy("x.npy", "np.tile([1.0, 2.0], 5000)")
        let script = "trap '' XFSZ; ulimit -f 2; exec \"$outliers\" detect \"$1\" --threshold 0 \"$2\" \"$3\""
        try await shell(script, path, option, scratch[name]).fails(73, scratch[name], "File too large")
        #expect(try scratch.contents(name) == Array("before".utf8))
        #expect(try scratch.names.sorted() == [name, "x.npy"].sorted())
    }

    @Test func `a picture is not replaced when the list cannot be written`() async throws {
        _ = try scratch.file("p.svg", "before")
        try await detectNile("--plot", scratch["p.svg"], "--output", try scratch.link("o.npy", to: "/dev/full"))
            .fails(73, "o.npy")
        #expect(try scratch.contents("p.svg") == Array("before".utf8))
    }

    @Test(arguments: ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
    func `standard output takes the list as a file`(target: String) async throws {
        let link = try scratch.link("o.npy", to: target)
        for redirection in ["| cat", "> \"$3\"; cat \"$3\""] {
            let program = try await shell(
                "\"$outliers\" detect \"$1\" --column 2 --output \"$2\" --indices \(redirection)", nile, link,
                scratch["out"])
            #expect(program.error == "")
            #expect(program.output.contains("descr': '<i8'"))
        }
        #expect(try scratch.names.allSatisfy { ["o.npy", "out"].contains($0) })
    }

    @Test func `a named pipe takes the list`() async throws {
        let program = try await shell(
            "mkfifo o.npy; \"$outliers\" detect \"$1\" --column 2 --output o.npy >&2 & wc -c < o.npy; wait; ls", nile,
            in: scratch.path)
        #expect(program.output == "152\no.npy\n")
    }

    @Test(arguments: ["o.txt", "npy", "o.npy.gz", ""])
    func `an output of another ending is wrong usage`(name: String) async throws {
        try await detectNile("--output", name).fails(64, "--output", ".npy")
    }

    // MARK: --plot

    @Test(arguments: ["png", "PNG"])
    func `a PNG is drawn`(ending: String) async throws {
        try await detectNile("--plot", scratch["p.\(ending)"]).succeeds()
        #expect(try scratch.contents("p.\(ending)").prefix(8) == [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10])
    }

    @Test(arguments: engines)
    func `an SVG shows the series, its outliers and the bounds`(engine: String) async throws {
        try await detectNile("--plot", scratch["p.svg"], "--engine", engine).succeeds()
        let groups = try await python(
            """
            import sys, xml.etree.ElementTree as tree
            root = tree.parse(sys.argv[1]).getroot()
            assert root.tag == '{http://www.w3.org/2000/svg}svg', root.tag
            names = {e.get('id') for e in root.iter()}
            print(sorted(names & {'series', 'outliers', 'mean', 'lower-bound', 'upper-bound'}))
            """, scratch["p.svg"])
        #expect(groups == "['lower-bound', 'mean', 'outliers', 'series', 'upper-bound']\n")
    }

    @Test func `a column of a table is drawn`() async throws {
        let path = try await scratch.numpy("x.npy", "np.random.default_rng(1).integers(0, 9, (300, 3), np.int16)")
        try await outliers("detect", path, "--column", "2", "--plot", scratch["p.svg"]).succeeds()
        #expect(try scratch.names.contains("p.svg"))
    }

    @Test(arguments: ["(0,)", "(1,)"])
    func `hardly any samples are drawn too`(shape: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros(\(shape))")
        try await outliers("detect", path, "--plot", scratch["p.png"]).succeeds()
        #expect(try scratch.contents("p.png").count > 100)
    }

    @Test func `samples with gaps are drawn`() async throws {
        let path = try await scratch.numpy("x.npy", "np.where(np.arange(99) == 5, np.nan, np.arange(99.0))")
        try await outliers("detect", path, "--nan", "omit", "--plot", scratch["p.png"]).succeeds()
        #expect(try scratch.contents("p.png").count > 100)
    }

    @Test func `a plot, an output and a list come together`() async throws {
        let list = try await detectNile("--plot", scratch["p.svg"], "--output", scratch["o.npy"], "--indices").list()
        #expect(list == [8, 24, 42])
        #expect(try scratch.names.sorted() == ["o.npy", "p.svg"])
    }

    @Test(arguments: ["p.jpg", "p", "p.png.txt", ""])
    func `a plot of another ending is wrong usage`(name: String) async throws {
        try await detectNile("--plot", name).fails(64, "--plot", ".png", ".svg")
    }

    @Test func `a plot in a missing directory cannot be written`() async throws {
        try await detectNile("--plot", scratch["missing/p.png"]).fails(73, scratch["missing/p.png"], "No such file")
    }

    @Test func `a plot that is a directory cannot be written`() async throws {
        try await detectNile("--plot", try scratch.directory("d.svg")).fails(73, "d.svg", "Is a directory")
    }

    @Test func `a plot on a full device cannot be written`() async throws {
        try await detectNile("--plot", try scratch.link("full.png", to: "/dev/full"))
            .fails(73, "full.png", "No space left on device")
    }

    // MARK: Standard output

    @Test(arguments: [
        "detect \(quotedNile) --column 2", "demo --engine native", "doctor", "--help", "--version", "help demo",
    ])
    func `a full device as standard output is an error`(arguments: String) async throws {
        try await shell("exec \"$outliers\" \(arguments) > /dev/full").fails(73, "standard output", "No space left")
    }

    @Test(arguments: ["detect \(quotedNile) --column 2 --indices", "demo", "doctor"])
    func `a closed standard output is an error`(arguments: String) async throws {
        try await shell("exec \"$outliers\" \(arguments) >&-").fails(73, "standard output", "Bad file descriptor")
    }

    @Test(arguments: engines)
    func `a reader that stops early ends the program without a word`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.tile([1.0, 2.0], 100_000)")
        let printed = try await python(
            """
            import os, signal, subprocess, sys
            child = subprocess.Popen([os.environ['outliers'], 'detect', sys.argv[1], '--threshold', '0', '--indices',
                '--engine', sys.argv[2]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, restore_signals=True)
            first = child.stdout.read(4)
            child.stdout.close()
            print(first, child.stderr.read(), child.wait() == -signal.SIGPIPE)
            """, path, engine)
        #expect(printed == "b'[0, ' b'' True\n")
    }

    @Test(arguments: [["--help"], ["help"], [], ["detect", "--help"], ["demo", "--help"], ["doctor", "-h"]])
    func `help goes to standard output`(arguments: [String]) async throws {
        #expect(try await outliers(arguments).succeeds().contains("USAGE: outliers"))
    }

    @Test func `the version goes to standard output`() async throws {
        #expect(try await outliers("--version").succeeds().wholeMatch(of: #/\d+\.\d+\.\d+\n/#) != nil)
    }
}

/// The path for a shell, whatever the checkout is called.
private let quotedNile = "'" + nile.replacing("'", with: "'\\''") + "'"
