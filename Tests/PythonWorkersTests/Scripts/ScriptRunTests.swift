import FoundationEssentials
import PythonWorkers
import Testing

/// What scripts are given, and what comes back.
@Suite struct ScriptRunTests {
    private static let both = "import sys; print('out'); print('err', file=sys.stderr)"

    // MARK: Output

    @Test func `a script runs and its output is captured`() async throws {
        let output = try await code("print('a'); print('ü')").run()
        #expect(output.standardOutput == "a\nü\n")
        #expect(output.standardOutputBytes == Array("a\nü\n".utf8))
        #expect(output.standardError == "")
    }

    @Test func `standard output excludes standard error`() async throws {
        let output = try await code(Self.both).run()
        #expect(output.standardOutput == "out\n")
        #expect(output.standardError == "err\n")
    }

    @Test func `both streams are combined in one result, in their order`() async throws {
        let source = """
            import sys
            for i in range(100):
                print('out', i, flush=True)
                print('err', i, file=sys.stderr, flush=True)
            """
        let output = try await code(source).run(output: .combined)
        #expect(output.standardOutput == (0..<100).map { "out \($0)\nerr \($0)\n" }.joined())
        #expect(output.standardError == "")
    }

    @Test func `bytes that are no text come back as they are`() async throws {
        let output = try await code("import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)").run()
        #expect(output.standardOutputBytes == [[UInt8]](repeating: Array(0...255), count: 1000).flatMap(\.self))
    }

    @Test func `more than the pipes hold comes back from both streams at once`() async throws {
        let source = """
            import sys, threading
            def fill(stream, letter):
                for _ in range(100): stream.write(letter * 99_999 + b'\\n')
            threads = [threading.Thread(target=fill, args=a) for a in [(sys.stdout.buffer, b'o'), (sys.stderr.buffer, b'e')]]
            for t in threads: t.start()
            for t in threads: t.join()
            """
        let output = try await code(source).run()
        #expect(output.standardOutputBytes.count == 10_000_000)
        #expect(output.standardErrorBytes.count == 10_000_000)
        #expect(Set(output.standardOutputBytes) == [0x6F, 0x0A])
        #expect(Set(output.standardErrorBytes) == [0x65, 0x0A])
    }

    @Test(arguments: ScriptOutput.Form.allCases)
    func `lines of either stream arrive before the script ends`(form: ScriptOutput.Form) async throws {
        let directory = try Directory()
        // Each line is answered by a file, without which the script goes no further: lines at its end would be too late.
        let source = """
            import os, sys, time
            for i, stream in enumerate([sys.stdout, sys.stderr, sys.stdout]):
                stream.write(f'line {i}\\r\\n' if i == 1 else f'line {i}\\n')
                while not os.path.exists(str(i)): time.sleep(0.005)
            sys.stdout.write('the end')
            """
        let lines = Monitor<[ScriptOutput.Line]>([])
        let script = PythonScript(
            .code(source), workingDirectory: directory.path, environment: .inherited.removing("PYTHONUNBUFFERED"))
        let output = try await script.run(output: form, timeout: .seconds(60)) { line in
            let count = lines.withLock {
                $0.append(line)
                return $0.count
            }
            _ = FileManager.default.createFile(atPath: "\(directory.path)/\(count - 1)", contents: nil)
        }
        #expect(lines.withLock { $0.map(\.text) } == ["line 0", "line 1", "line 2", "the end"])
        let second = form == .combined ? ScriptOutput.Stream.standardOutput : .standardError
        #expect(lines.withLock { $0.map(\.stream) } == [.standardOutput, second, .standardOutput, .standardOutput])
        #expect(output.standardOutput.hasSuffix("the end"))
    }

    // MARK: Input

    @Test func `text and bytes are standard input`() async throws {
        let echo = code("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())")
        #expect(try await echo.run(input: .text("a\nü")).standardOutput == "a\nü")
        #expect(try await echo.run(input: .bytes([0, 255, 10])).standardOutputBytes == [0, 255, 10])
        #expect(try await echo.run(input: .text("")).standardOutputBytes == [])
        #expect(try await echo.run().standardOutputBytes == [])
        let large = [UInt8](repeating: 7, count: 5_000_000)
        #expect(try await echo.run(input: .bytes(large)).standardOutputBytes == large)
    }

    @Test func `input may be left unread`() async throws {
        let output = try await code("print('done')").run(input: .bytes([UInt8](repeating: 7, count: 5_000_000)))
        #expect(output.standardOutput == "done\n")
    }

    @Test(arguments: [[], ["--fast"], ["", "a b", "'\"$(x)`\\", "ü\n", "-c", "--"]])
    func `arguments arrive as they are`(arguments: [String]) async throws {
        let output = try await code("import json, sys; json.dump(sys.argv[1:], sys.stdout)").run(arguments: arguments)
        #expect(try JSONDecoder().decode([String].self, from: Data(output.standardOutputBytes)) == arguments)
    }

    // MARK: JSON

    struct Person: Codable, Equatable {
        var name: String
        var age: Int
    }

    @Test func `a request and its reply travel as JSON`() async throws {
        let script = code("import json, sys; p = json.load(sys.stdin); p['age'] += 1; json.dump(p, sys.stdout)")
        let reply: Person = try await script.call(Person(name: "Ada \"ü\"", age: 36))
        #expect(reply == Person(name: "Ada \"ü\"", age: 37))
        let again: Person = try script.callAndWait(Person(name: "", age: 0))
        #expect(again == Person(name: "", age: 1))
    }

    @Test func `a request may be larger than an argument can be`() async throws {
        let reply: Int = try await code("import json, sys; print(sum(json.load(sys.stdin)))").call(Array(0..<100_000))
        #expect(reply == 4_999_950_000)
    }

    @Test func `NaN and infinity are read as Python writes them`() async throws {
        let reply: [Double] = try await code("import json; print(json.dumps([float('nan'), -float('inf'), 1e300]))")
            .call([Int]())
        #expect(reply[0].isNaN)
        #expect(reply[1...] == [-.infinity, 1e300])
    }

    // MARK: Surroundings

    @Test func `an existing script runs as it is, with arguments, files and an environment`() async throws {
        let directory = try Directory(["numbers.csv": "a,1.5\nb,2\n\nc,x\n"])
        var script = PythonScript(
            .file(checkout + "/Tests/Fixtures/legacy.py"), workingDirectory: directory.path,
            environment: .inherited.setting(["LABEL": "sum"]))
        let output = try await script.run(arguments: ["numbers.csv", "--column", "2"])
        #expect(output.standardOutput == "sum 3.5\n")
        #expect(output.standardError == "skipped: \nskipped: c,x\n")
        script.environment = .inherited.removing("LABEL")
        let error = try await failure { () async throws(ScriptError) in
            try await script.run(arguments: ["numbers.csv", "--column", "2", "--strict"])
        }
        #expect(error.ending == .exited(3))
        #expect(error.output.standardOutput == "total 3.5\n")
    }

    @Test func `a relative script and the files that it names are those of its working directory`() async throws {
        let directory = try Directory([
            "read.py": "print(open('x').read(), __file__)", "x": "here", "-x.py": "print(1)",
        ])
        var script = PythonScript(.file("read.py"), workingDirectory: directory.path)
        #expect(try await script.run().standardOutput.hasPrefix("here "))
        script.source = .file("-x.py")
        #expect(try await script.run().standardOutput == "1\n")
    }

    @Test func `without a working directory it is that of this process`() async throws {
        let output = try await code("import os; print(os.getcwd())").run()
        #expect(output.standardOutput == FileManager.default.currentDirectoryPath + "\n")
    }

    @Test func `a module and a directory run as python runs them`() async throws {
        let directory = try Directory(["tool.py": "print('tool', __name__)", "__main__.py": "print('main')"])
        var script = PythonScript(.module("tool"), workingDirectory: directory.path)
        #expect(try await script.run().standardOutput == "tool __main__\n")
        script.source = .file(directory.path)
        #expect(try await script.run().standardOutput == "main\n")
    }

    @Test func `environment variables are inherited, set and removed`() async throws {
        var script = code("import json, os; print(json.dumps(dict(os.environ)))")
        func variables() async throws -> [String: String] { try await script.call(0) }
        let inherited = try await variables()
        #expect(inherited["PATH"] == ProcessInfo.processInfo.environment["PATH"])
        script.environment = .inherited.setting(["A_B": "1=ü\n2", "PATH": "/x"]).removing("HOME")
        let changed = try await variables()
        #expect(changed["A_B"] == "1=ü\n2")
        #expect(changed["PATH"] == "/x")
        #expect(changed["HOME"] == nil)
        script.environment = .empty.setting(["LC_ALL": "C.UTF-8", "GONE": "1"]).removing("GONE")
        #expect(try await variables() == ["LC_ALL": "C.UTF-8"])
    }

    @Test func `each virtual environment reports its own prefix and packages`() async throws {
        let directory = try Directory()
        let venv = PythonScript(.module("venv"), python: .system)
        for name in ["a", "b"] {
            let path = "\(directory.path)/\(name)"
            try await venv.run(arguments: ["--without-pip", path])
            let site = try await PythonScript(
                .code("import sysconfig; print(sysconfig.get_path('purelib'), end='')"),
                python: .virtualEnvironment(path)
            ).run().standardOutput
            #expect(site.hasPrefix(path + "/"))
            try Data("where = '\(name)'".utf8).write(to: URL(fileURLWithPath: "\(site)/only.py"))
        }
        for name in ["a", "b"] {
            let path = "\(directory.path)/\(name)"
            let script = PythonScript(
                .code("import only, sys; print(sys.prefix, only.where)"), python: .virtualEnvironment(path))
            #expect(try await script.run().standardOutput == "\(path) \(name)\n")
        }
    }

    @Test func `a script has no terminal, and a session of its own`() async throws {
        let source = """
            import os
            print(os.getsid(0) == os.getpid() == os.getpgrp(), sorted(map(int, os.listdir('/proc/self/fd')))[:3])
            try: open('/dev/tty')
            except OSError: print('none')
            """
        #expect(try await code(source).run().standardOutput == "True [0, 1, 2]\nnone\n")
    }

    // MARK: Threads

    @Test func `a thread may wait for a script, in a task as well`() async throws {
        let output = try code("print(1)").runAndWait(timeout: .seconds(60))
        #expect(output.standardOutput == "1\n")
    }

    @Test func `more tasks than there are threads may block for scripts`() async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<32 {
                group.addTask { try code("print(\(index), end='')").runAndWait().standardOutput }
            }
            var found: Set<String> = []
            for try await text in group { found.insert(text) }
            #expect(found == Set((0..<32).map(String.init)))
        }
    }
}
