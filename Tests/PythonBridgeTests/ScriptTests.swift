import Glibc
import PythonBridge
import Testing

/// Source text, and scripts as they are.
@Suite struct ScriptTests {
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
    }

    @Test func `names last from one run to the next`() throws {
        try python.run("script_total = 1")
        try python.run("script_total += 41\ndef script_read(): return script_total")
        let value: Int = try python.evaluate("script_total")
        #expect(value == 42)
        let read: Int = try python.function("script_read", in: "__main__")()
        #expect(read == 42)
    }

    @Test func `what ran before an exception stays`() throws {
        let failure = thrown { try python.run("script_before = 1\nraise ValueError\nscript_after = 1") }
        #expect(failure != nil)
        let names: [Bool] = try python.evaluate("['script_before' in globals(), 'script_after' in globals()]")
        #expect(names == [true, false])
    }

    @Test(arguments: ["", "\n", "# nothing", "x = '''\n'''\n", "if True:\n    pass"])
    func `any source runs, with or without its last newline`(source: String) throws {
        try python.run(source)
    }

    @Test func `source is read as UTF-8 whatever it says`() throws {
        let text: String = try python.evaluate("'żółw 🐢' + \"\\n\"")
        #expect(text == "żółw 🐢\n")
    }

    @Test func `source with a zero in it is refused rather than cut short`() {
        let failure = thrown { try python.run("script_cut = 1\n\0raise ValueError") }
        #expect(failure != nil)
        let failure2 = thrown { let _: Int = try python.evaluate("1\0 + 'x'") }
        #expect(failure2 != nil)
    }

    @Test func `an expression with a wrong type is refused`() {
        let failure = thrown { let _: Int = try python.evaluate("'text'") }
        #expect(failure?.isConversion == true)
    }

    static let script = """
        import dataclasses
        import sibling_module_NAME

        runs = globals().get("runs", 0) + 1

        @dataclasses.dataclass
        class Sample:
            value: float
            unit: str = "m"

        def name(): return __name__
        def count_runs(): return runs
        def value(): return dataclasses.asdict(Sample(sibling_module_NAME.value))["value"]
        def fail(): raise LookupError("in the script")

        if __name__ == "__main__":
            raise SystemExit("run as a program")
        """

    @Test(arguments: ["plain", "with space", "it's \"quoted\"", "skrypt 🐢", "100% {braces} \\back"])
    func `a script runs as it is, from a folder of any name`(folderName: String) throws {
        try withTemporaryDirectory(named: folderName) { folder in
            let unique = String(folder.path.utf8.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude)
            folder.write("value = 4.5", to: "sibling_module_\(unique).py")
            let script = folder.write(Self.script.replacing("NAME", with: unique), to: "the \(folderName).py")
            let value: Double = try python.function("value", inScript: script)()
            #expect(value == 4.5)
            let name: String = try python.function("name", inScript: script)()
            #expect(name != "__main__")
            let runs: Int = try python.function("count_runs", inScript: script)()
            #expect(runs == 1)
            let error = thrown { try python.function("fail", inScript: script)() }
            #expect(error?.exception?.traceback.contains(script) == true)
        }
    }

    @Test func `a script is run once, by whatever path`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write(
                "import builtins\nbuiltins.script_once = getattr(builtins, 'script_once', 0) + 1\ndef f(): pass",
                to: "once.py")
            _ = unsafe symlink(script, folder.path + "/link.py")
            for path in [script, folder.path + "/../files/once.py", folder.path + "/link.py", script] {
                _ = try python.function("f", inScript: path)
            }
            let runs: Int = try python.evaluate("__import__('builtins').script_once")
            #expect(runs == 1)
        }
    }

    @Test func `a script that many threads ask for at once is run once, and whole for each`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write(
                """
                import builtins, time
                builtins.script_many = getattr(builtins, "script_many", 0) + 1
                time.sleep(0.05)  # lets the other threads in, half way
                def f(): return 1
                """, to: "many.py")
            try onNewThreads(8) { _ in
                let value: Int = try TestPython.start().function("f", inScript: script)()
                #expect(value == 1)
            }
            let runs: Int = try python.evaluate("__import__('builtins').script_many")
            #expect(runs == 1)
        }
    }

    @Test func `a script that raises can be mended`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write("raise ValueError('not yet')", to: "broken.py")
            let error = thrown { _ = try python.function("f", inScript: script) }
            #expect(error?.exception?.message == "not yet")
            #expect(error?.exception?.traceback.contains("broken.py\", line 1") == true)
            folder.write("def f(): return 'mended at last'", to: "broken.py")
            let text: String = try python.function("f", inScript: script)()
            #expect(text == "mended at last")
        }
    }

    @Test func `a script that leaves does not leave the process`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write("import sys\nsys.exit(3)", to: "leaves.py")
            let failure = thrown { _ = try python.function("f", inScript: script) }
            #expect(failure?.exception?.type == "SystemExit")
        }
    }

    @Test func `what a script lacks is named`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write("x = 1\n", to: "lacks.py")
            let failure = thrown { _ = try python.function("f", inScript: script) }
            #expect(failure?.exception?.type == "AttributeError")
            let refused = thrown { _ = try python.function("x", inScript: script) }
            #expect(refused?.description == "'x' is not callable: it is of type int")
            let missing = thrown { _ = try python.function("f", inScript: folder.path + "/missing.py") }
            #expect(missing?.exception?.type == "FileNotFoundError")
            let syntax = folder.write("def f(:", to: "syntax.py")
            let failure2 = thrown { _ = try python.function("f", inScript: syntax) }
            #expect(failure2?.exception?.type == "SyntaxError")
        }
    }

    @Test func `a value of a script's own class can be pickled`() throws {
        try withTemporaryDirectory { folder in
            let script = folder.write(
                """
                import pickle
                class Sample:
                    value = 3
                def copy(): return pickle.loads(pickle.dumps(Sample())).value
                """, to: "pickles.py")
            let value: Int = try python.function("copy", inScript: script)()
            #expect(value == 3)
        }
    }

    @Test func `a relative script starts at the working directory`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try withTemporaryDirectory { folder in
                folder.write("def f(): return 5", to: "relative script.py")
                _ = unsafe chdir(folder.path)
                let value: Int = try python.function("f", inScript: "relative script.py")()
                #expect(value == 5)
            }
        }
    }
}
