import FoundationEssentials
import Glibc
import Testing

/// The engine that runs `python -m pyoutliers`: what can be wrong with that process.
@Suite struct SubprocessTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// Finds the Nile's outliers with a copy of the program beside a package `pyoutliers` that consists of this; without one if it is nil.
    private func nile(_ main: String?, changes: [String: String?] = [:]) async throws -> Program {
        let program = try scratch.directory("copy") + "/outliers"
        try FileManager.default.copyItem(atPath: Program.path, toPath: program)
        if let main {
            _ = try scratch.directory("copy/pyoutliers")
            _ = try scratch.file("copy/pyoutliers/__init__.py", "")
            _ = try scratch.file("copy/pyoutliers/__main__.py", main)
        }
        return try await outliers(
            "detect", OutliersCommandTests.nile, "--column", "2", "--indices", "--engine", "subprocess",
            changes: changes,
            in: scratch.path, program: program)
    }

    @Test func `without numpy or pyoutliers Python cannot be used`() async throws {
        let environment = try await scratch.environment()
        try await outliers("demo", "--engine", "subprocess", "--python-env", environment)
            .fails(69, "No module named 'numpy'", "doctor")
        try await nile(nil).fails(69, "No module named pyoutliers", "doctor")
    }

    @Test func `an environment that is none is told before anything is launched`() async throws {
        try await outliers("demo", "--engine", "subprocess", "--python-env", "/nowhere")
            .fails(69, "the environment '/nowhere' (chosen) is not a directory")
    }

    @Test(arguments: [
        ("raise ValueError('first\\nlast')", 69, "exited with status 1: last"),
        ("import sys; sys.exit('no memory')", 69, "exited with status 1: no memory"),
        ("import sys; sys.exit(69)", 69, "exited with status 69"), ("import os; os.abort()", 69, "ended by SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", 69, "ended by SIGSEGV"),
        ("import sys; sys.exit(65)", 70, "exited with status 65"),
        ("print('nonsense')", 70, "malformed reply: it is no JSON"),
        ("print('{\"indices\": [1]}')", 70, "malformed reply: 'mean' is missing"),
        ("print('{\"indices\": [5, 5], \"mean\": 1, \"standardDeviation\": 1}')", 70, "the index 5"),
        ("print('{\"indices\": [100], \"mean\": 1, \"standardDeviation\": 1}')", 70, "the index 100"),
    ])
    func `whatever the process does is told in one line`(main: String, code: Int32, message: String) async throws {
        try await nile(main).fails(code, message)
    }

    @Test func `it is as isolated as Python in the program's own process`() async throws {
        for name in ["json.py", "numpy.py", "pyoutliers.py"] {
            _ = try scratch.file(name, "raise SystemExit('not this')")
        }
        let main = """
            import json, os, site, sys
            json.load(sys.stdin)
            found = [name for name in os.environ if name.startswith('PYTHON')]
            assert sorted(found) == ['PYTHONNOUSERSITE', 'PYTHONPATH', 'PYTHONUTF8'], found
            assert not site.ENABLE_USER_SITE and sys.flags.utf8_mode and os.environ['OTHER'] == '1'
            print('{"indices": [3], "mean": 1, "standardDeviation": 1}')
            """
        let changes = ["PYTHONPATH": scratch.path, "PYTHONHOME": "/nowhere", "PYTHONSAFEPATH": "1", "OTHER": "1"]
        #expect(try await nile(main, changes: changes).succeeds() == "[3]\n")
    }

    @Test func `the time to write the samples down counts`() async throws {
        let path = try await scratch.numpy("x.npy", "np.random.default_rng(1).normal(size=20_000_000)")
        try await shell("exec timeout 10 \"$outliers\" detect \"$1\" --engine subprocess --timeout 0.2", path)
            .fails(75, "\(path): the detection took longer than 0.2 seconds")
    }

    @Test func `a signal ends the process with the program`() async throws {
        let environment = try await scratch.environment(
            modules: [
                "numpy/__init__.py":
                    "import os, time\nopen('\(scratch["begun"])', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
            ])
        var run = Terminal("demo", "--engine", "subprocess", "--python-env", environment)
        run.file = scratch["begun"]
        run.signals = ["SIGINT"]
        try await run.run().wasInterrupted(by: SIGINT)
        let process = try #require(Int32(String(decoding: try scratch.contents("begun"), as: UTF8.self)))
        // An orphan's zombie is somebody else's.
        for _ in 0..<500 where kill(process, 0) == 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(kill(process, 0) != 0)
    }
}
