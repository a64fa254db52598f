import FoundationEssentials
import Glibc
import PythonWorkers
import Testing

/// Every way in which a script gives no result is an error, told in one line.
@Suite struct ScriptFailureTests {
    // MARK: - Of the script

    @Test(arguments: [1, 3, 64, 255])
    func `a status other than 0 is an error that carries it and the output`(status: Int32) async throws {
        let source = "import sys; print('so far'); print('one\\nthe last', file=sys.stderr); sys.exit(\(status))"
        let error = try await failure { () async throws(ScriptError) in try await code(source).run() }
        #expect(error.reason == .failed)
        #expect(error.ending == .exited(status))
        #expect(error.output.standardOutput == "so far\n")
        #expect(error.output.standardError == "one\nthe last\n")
        #expect("\(error)" == "-c: exited with status \(status): the last")
    }

    @Test func `an exception is told by its last line`() async throws {
        let directory = try Directory(["bad.py": "def f(): raise ValueError('it is bad')\nf()"])
        let script = PythonScript(.file(directory.path + "/bad.py"))
        let error = try await failure { () async throws(ScriptError) in try await script.run() }
        #expect("\(error)" == "\(directory.path)/bad.py: exited with status 1: ValueError: it is bad")
        #expect(error.output.standardError.hasPrefix("Traceback"))
    }

    @Test func `where the streams are combined the last line is theirs`() async throws {
        let error = try await failure { () async throws(ScriptError) in
            try await code("print('a', flush=True); raise SystemExit('why')").run(output: .combined)
        }
        #expect("\(error)" == "-c: exited with status 1: why")
    }

    @Test func `a description is one line, whatever the script is called and writes`() async throws {
        let directory = try Directory(["a\nb.py": "import sys; sys.exit('\\x85x\\u2028y\\r\\n \\n')"])
        let error = try await failure { () async throws(ScriptError) in
            try await PythonScript(.file("a\nb.py"), workingDirectory: directory.path).run()
        }
        #expect("\(error)" == "a b.py: exited with status 1: y")
    }

    @Test(arguments: [
        ("SIGSEGV", SIGSEGV), ("SIGABRT", SIGABRT), ("SIGKILL", SIGKILL), ("SIGTERM", SIGTERM), ("SIGFPE", SIGFPE),
    ])
    func `a script that a signal ends is an error with its name, and this process goes on`(
        name: String, signal: Int32
    ) async throws {
        let source = "import os, signal; print('so far', flush=True); os.kill(os.getpid(), signal.\(name))"
        let error = try await failure { () async throws(ScriptError) in try await code(source).run() }
        #expect(error.ending == .signalled(signal))
        #expect(error.reason == .failed)
        #expect(error.output.standardOutput == "so far\n")
        #expect("\(error)" == "-c: ended by \(name): so far")
    }

    @Test func `memory that is not there ends the script alone`() async throws {
        let error = try await failure { () async throws(ScriptError) in
            try await code("import ctypes; ctypes.string_at(0)").run()
        }
        #expect(error.ending == .signalled(SIGSEGV))
        #expect(try await code("print(1)").run().standardOutput == "1\n")
    }

    @Test(arguments: ["stdout", "stderr"], ScriptOutput.Form.allCases)
    func `output beyond the limit ends the script, with what it wrote until then`(
        stream: String, form: ScriptOutput.Form
    ) async throws {
        var script = code("import sys\nwhile True: sys.\(stream).write('x' * 1000)")
        script.outputLimit = 100_000
        let error = try await failure { () async throws(ScriptError) in
            try await script.run(output: form, timeout: .seconds(60))
        }
        #expect(error.reason == .outputLimitExceeded(100_000))
        let isError = stream == "stderr" && form == .separate
        let bytes = isError ? error.output.standardErrorBytes : error.output.standardOutputBytes
        #expect(bytes == [UInt8](repeating: 0x78, count: 100_000))
        #expect("\(error)".hasPrefix("-c: wrote more than 100000 bytes"))
    }

    @Test func `the limit itself is not beyond it`() async throws {
        var script = code("import sys; sys.stdout.write('x' * 100_000)")
        script.outputLimit = 100_000
        #expect(try await script.run().standardOutputBytes.count == 100_000)
        script.outputLimit = 99_999
        let error = try await failure { () async throws(ScriptError) in try await script.run() }
        #expect(error.reason == .outputLimitExceeded(99_999))
    }

    // MARK: - Of the reply

    struct Reply: Decodable { var values: [Int] }

    @Test(arguments: [
        ("", "it is no JSON"), ("nonsense", "it is no JSON"), ("{\\\"values\\\": [1]} x", "it is no JSON"),
        ("{}", "'values' is missing"), ("{\\\"values\\\": [1, \\\"2\\\"]}", "Int is expected at 'values.Index 1'"),
        ("[1]", "expected"),
    ])
    func `a reply that is none is an error that says where`(text: String, message: String) async throws {
        let error = try await failure { () async throws(ScriptError) -> Reply in
            try await code("print(\"\(text)\")").call(0)
        }
        guard case .malformedReply(let found) = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(found.contains(message))
        #expect(error.ending == .exited(0))
        #expect(error.output.standardOutput == text.replacing("\\", with: "") + "\n")
        #expect("\(error)".hasPrefix("-c: malformed reply: "))
    }

    @Test func `a request that JSON cannot hold is refused before the launch`() async throws {
        let error = try await failure { () async throws(ScriptError) -> Int in
            try await code("print(1)").call([Double.nan])
        }
        guard case .invalidInput(let message) = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(message.hasPrefix("the request cannot be written as JSON"))
        #expect(error.ending == nil)
    }

    @Test func `a status other than 0 counts more than a reply`() async throws {
        let error = try await failure { () async throws(ScriptError) -> Int in
            try await code("import sys; print(1); sys.exit(2)").call(0)
        }
        #expect(error.ending == .exited(2))
    }

    // MARK: - Before the launch

    @Test(arguments: [
        (PythonScript(.code(""), python: .program("no-python")), "-c: 'no-python' is not found in PATH"),
        (PythonScript(.code(""), python: .program("/no/python")), "-c: '/no/python' is no program that can be run"),
        (
            PythonScript(.module("m"), python: .virtualEnvironment("/no/venv")),
            "-m m: the environment '/no/venv' (chosen) is not a directory"
        ), (PythonScript(.file("/no/script.py")), "/no/script.py: the script is not there"),
        (PythonScript(.file("script.py"), workingDirectory: "/"), "script.py: the script is not there"),
        (PythonScript(.code(""), workingDirectory: "/no"), "-c: the working directory '/no' is not there"),
    ])
    func `what is not there is told before anything is launched`(script: PythonScript, message: String) async throws {
        let errors = [
            try await failure { () async throws(ScriptError) in try await script.run() },
            try await failure { () throws(ScriptError) in try script.runAndWait() },
        ]
        for error in errors {
            guard case .notFound = error.reason else {
                Issue.record("\(error)")
                continue
            }
            #expect("\(error)" == message)
            #expect(error.ending == nil)
            #expect(error.output.standardOutputBytes.isEmpty)
        }
    }

    @Test(arguments: [
        (["a\0b"], ScriptEnvironment.inherited, "an argument with a zero byte cannot be passed"),
        (
            ["a", String(repeating: "x", count: 131_072)], .inherited,
            "an argument of 131072 bytes cannot be passed: use the input"
        ),
        ([], .inherited.setting(["A=B": "1"]), "the environment variable 'A=B' cannot be passed"),
        ([], .inherited.setting(["": "1"]), "the environment variable '' cannot be passed"),
        ([], .inherited.setting(["A": "\0"]), "the environment variable 'A' cannot be passed"),
    ])
    func `what no process can be given is refused`(
        arguments: [String], environment: ScriptEnvironment, message: String
    ) async throws {
        let script = PythonScript(.code("print(1)"), environment: environment)
        let error = try await failure { () async throws(ScriptError) in try await script.run(arguments: arguments) }
        #expect(error.reason == .invalidInput(message))
    }

    @Test func `an argument may have all that the system allows`() async throws {
        let argument = String(repeating: "x", count: 131_071)
        let output = try await code("import sys; print(len(sys.argv[1]))").run(arguments: [argument])
        #expect(output.standardOutput == "131071\n")
    }

    @Test func `more arguments than the system allows are an error`() async throws {
        let arguments = [String](repeating: String(repeating: "x", count: 100_000), count: 100)
        let error = try await failure { () async throws(ScriptError) in try await code("").run(arguments: arguments) }
        guard case .notLaunched = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect("\(error)".allSatisfy { !$0.isNewline })
    }

    @Test func `a script that was not found starts once it is there`() async throws {
        let directory = try Directory()
        let script = PythonScript(.file("late.py"), workingDirectory: directory.path)
        _ = try await failure { () async throws(ScriptError) in try await script.run() }
        try Data("print('now')".utf8).write(to: URL(fileURLWithPath: directory.path + "/late.py"))
        #expect(try await script.run().standardOutput == "now\n")
    }
}
