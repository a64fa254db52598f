import FoundationEssentials
import Glibc
import Testing

/// Ctrl-C and its like, with real signals. Asserted is how the program ended, and what it left behind; one that does not end is
/// killed after a minute. The suite's limit is longer, since tests wait for one another.
@Suite(.timeLimit(.minutes(30))) struct InterruptionTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// More samples than are searched in ten seconds, in a file that takes no room.
    private func endless() throws -> String {
        let path = scratch["endless.npy"]
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (17179869184,), }"
        let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
        try Data(bytes + [UInt8](repeating: 0x20, count: 127 - bytes.count) + [10])
            .write(to: URL(fileURLWithPath: path))
        try #require(unsafe truncate(path, 128 + 17_179_869_184) == 0)
        return path
    }

    // MARK: In each phase

    @Test(arguments: [("SIGINT", SIGINT), ("SIGTERM", SIGTERM), ("SIGHUP", SIGHUP)])
    func `a signal ends the wait for standard input`(name: String, signal: Int32) async throws {
        var run = Terminal("detect", "--format", "csv")
        // The pipe holds less: when all is written, the program has begun to read.
        (run.input, run.times) = ("1\n", 500_000)
        run.signals = [name]
        try await run.run().wasInterrupted(by: signal)
    }

    @Test func `signals in a row end it with the same words`() async throws {
        var run = Terminal("detect", "--format", "csv")
        (run.input, run.times) = ("1\n", 500_000)
        run.signals = [String](repeating: "SIGTERM", count: 50)
        try await run.run().wasInterrupted(by: SIGTERM)
    }

    @Test func `a signal ends the reading of text`() async throws {
        let path = try scratch.file("x.csv", String(repeating: "1.25,2.5,3.75,5\n", count: 4_000_000))
        var run = Terminal("detect", path, "--column", "2", "--output", scratch["o.npy"])
        run.terminal = true
        run.text = "reading"
        run.signals = ["SIGINT"]
        try await run.run().wasInterrupted(by: SIGINT)
        #expect(try scratch.names == ["x.csv"])
    }

    @Test(arguments: [
        "import time; time.sleep(600)", "while True: pass",
        "import threading; threading.Lock().acquire(); import time; time.sleep(600)",
    ])
    func `a signal ends the import of numpy`(waiting: String) async throws {
        let source = "open('begun', 'w').close()\n\(waiting)\n"
        let environment = try await scratch.environment(modules: ["numpy/__init__.py": source])
        let directory = try scratch.directory("work")
        for arguments in [["demo"], ["doctor"], ["detect", nile, "--column", "2"]] {
            var run = Terminal()
            run.command += arguments + ["--python-env", environment]
            run.directory = directory
            run.file = directory + "/begun"
            run.signals = ["SIGINT"]
            try await run.run().wasInterrupted(by: SIGINT)
            try FileManager.default.removeItem(atPath: directory + "/begun")
        }
    }

    @Test(arguments: ["embedded", "native"], ["SIGINT", "SIGTERM"])
    func `a signal ends a detection`(engine: String, signal: String) async throws {
        var run = Terminal("detect", try endless(), "--engine", engine, "--output", scratch["o.npy"])
        run.terminal = true
        run.columns = 500
        run.text = "searching"
        run.signals = [signal]
        try await run.run().wasInterrupted(by: signal == "SIGINT" ? SIGINT : SIGTERM)
        #expect(try scratch.names == ["endless.npy"])
    }

    @Test(arguments: [[], ["--workers", "2"]])
    func `what was printed of other files stays`(options: [String]) async throws {
        var run = Terminal("detect", "--indices", "--column", "1")
        run.command += [try scratch.file("x.csv", "1\n2\n"), try endless()] + options
        run.terminal = true
        run.columns = 500
        run.text = "51 %"
        run.signals = ["SIGTERM"]
        let end = try await run.run()
        #expect(end.status == -SIGTERM)
        #expect(end.output == "\(scratch["x.csv"]): []\n")
        #expect(end.error.hasSuffix("outliers: interrupted\n"))
    }

    // MARK: Plots

    /// What says that half of the picture is written.
    private static let begin = "open('begun', 'w').close()"

    /// An environment whose matplotlib writes half of a picture and goes on like this; and so does Python at its end.
    private func environment(plotting rest: String, leaving: String) async throws -> String {
        let source = """
            import atexit, functools, operator, os, signal, time

            def leave():
                open('left', 'w').close()
                \(leaving)

            class Figure:
                def __init__(self, **options): pass
                def __getattr__(self, name): return lambda *arguments, **options: Figure()
                def savefig(self, path, format):
                    atexit.register(leave)
                    with open(path, 'wb') as file:
                        file.write(b'half')
                        file.flush()
                        \(rest.replacing("\n", with: "\n            "))
            """
        return try await scratch.environment(
            "numpy", modules: ["matplotlib/__init__.py": "", "matplotlib/figure.py": source])
    }

    /// Interrupts a plot in a folder that has a picture and a list; what is in the folder then.
    private func interruptPlot(_ rest: String, leaving: String = "") async throws -> [String] {
        let directory = try scratch.directory("work")
        _ = try scratch.file("work/p.png", "the picture before")
        _ = try scratch.file("work/o.npy", "the list before")
        var run = Terminal("detect", nile, "--column", "2", "--plot", "p.png", "--output", "o.npy", "--python-env")
        run.command.append(try await environment(plotting: rest, leaving: leaving))
        run.directory = directory
        run.file = directory + "/begun"
        run.signals = ["SIGINT"]
        try await run.run().wasInterrupted(by: SIGINT)
        #expect(try scratch.contents("work/p.png") == Array("the picture before".utf8))
        #expect(try scratch.contents("work/o.npy") == Array("the list before".utf8))
        return try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    }

    @Test func `a signal cancels a plot, and Python cleans up behind it`() async throws {
        let names = try await interruptPlot(
            """
            try:
                \(Self.begin)
                while True: time.sleep(0.001)
            finally:
                open('cleaned', 'w').close()
            """)
        #expect(names == ["begun", "cleaned", "left", "o.npy", "p.png"])
    }

    @Test func `a signal ends a plot that cannot be cancelled`() async throws {
        // From one function in C to the other, with no bytecode of Python's between them that could be cancelled.
        let names = try await interruptPlot(
            """
            calls = functools.partial(os.mkdir, 'begun'), functools.partial(time.sleep, 600)
            list(map(operator.methodcaller('__call__'), calls))
            """)
        #expect(names == ["begun", "o.npy", "p.png"])
    }

    @Test func `a second signal does not wait for Python to clean up`() async throws {
        let names = try await interruptPlot(
            "\(Self.begin)\nwhile True: pass",
            leaving: "os.kill(os.getpid(), signal.SIGINT); time.sleep(0.3); open('late', 'w').close()")
        #expect(names == ["begun", "left", "o.npy", "p.png"])
    }

    // MARK: What is left alone

    @Test(arguments: ["SIGINT", "SIGTERM", "SIGHUP"])
    func `a signal that was ignored at the start stays ignored`(name: String) async throws {
        var run = Terminal("detect", "--format", "csv", "--indices")
        (run.input, run.times) = ("1\n", 500_000)
        run.ignored = [name]
        run.signals = [name]
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.output == "[]\n")
        #expect(end.error == "")
    }

    @Test func `a shell sees that the program was interrupted`() async throws {
        let program = try await shell(
            """
            mkfifo "$1/pipe"
            "$outliers" detect --format csv < "$1/pipe" & child=$!
            exec 3> "$1/pipe"
            i=0; while [ $i -lt 20000 ]; do echo 1234567890; i=$((i + 1)); done >&3
            kill -TERM $child
            wait $child
            echo $?
            """, scratch.path)
        #expect(program.output == "143\n")
        #expect(program.error.hasPrefix("outliers: interrupted\n"))
    }
}
