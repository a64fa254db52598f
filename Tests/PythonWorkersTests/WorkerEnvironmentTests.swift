import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

/// What workers run in: a python, packages, a directory, variables and limits.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerEnvironmentTests {
    /// A function of `hardships.py`, in a pool whose configuration differs from the usual one.
    func function(_ name: String, _ change: (inout WorkerConfiguration) -> Void = { _ in }) -> BlockingWorkerFunction {
        var configuration = WorkerConfiguration.test()
        change(&configuration)
        return PythonWorkers(configuration).function(name, in: "hardships").blocking
    }

    /// A virtual environment without packages.
    final class BareEnvironment {
        let path = TemporaryFile.newPath("venv")

        init() throws {
            let build = workers.function("create", in: "venv").blocking
            try build(path, keywords: ["symlinks": true])
        }

        private let workers = PythonWorkers(.test())

        deinit {
            let remove = workers.function("rmtree", in: "shutil").blocking
            try? remove(path)
        }
    }

    @Test
    func `each pool has the packages of its own environment`() throws {
        let bare = try BareEnvironment()
        let inBare: (inout WorkerConfiguration) -> Void = { $0.python = .virtualEnvironment(bare.path) }
        #expect(try function("prefix", inBare)() == bare.path)
        #expect(try function("prefix")() != bare.path)
        #expect(try function("has_numpy", inBare)() == false)
        #expect(try function("has_numpy")() == true)
    }

    @Test
    func `without numpy plain buffers work, and others cost the worker its life`() throws {
        let bare = try BareEnvironment()
        let sum = function("add_all") { $0.python = .virtualEnvironment(bare.path) }
        let numbers = try SharedBuffer<Double>(sharedMemoryCapacity: 3)
        numbers[1] = 2
        #expect(try sum(numbers) == 2.0)
        #expect(try sum(try StridedView(of: numbers, from: 1, by: 1, count: 2)) == 2.0)
        let halves = try SharedBuffer<Float16>(sharedMemoryCapacity: 3)
        #expect(
            message { () throws(WorkerError) in let _: Double = try sum(halves) }
                == "the worker exited with status 1: ModuleNotFoundError: No module named 'numpy'")
        #expect(try sum(numbers) == 2.0)
    }

    @Test
    func `a python of another version serves as well`() throws {
        let versions = "\(FileSystem.environmentVariable("HOME") ?? "")/.pyenv/versions"
        for name in Processes.entries(of: versions) where name.hasPrefix("3.") {
            let version = function("version") { $0.python = .program("\(versions)/\(name)/bin/python3") }
            let numbers = name.split(separator: ".").prefix(2).compactMap { Int($0) }
            if numbers[1] >= 9 {
                #expect(try version() == numbers)
            } else {
                let error = message { () throws(WorkerError) in let _: [Int] = try version() }
                #expect(error?.hasSuffix("Python 3.\(numbers[1]) is too old: a worker needs 3.9") == true)
            }
        }
        let version: [Int] = try function("version") { $0.python = .system }()
        #expect(version[0] == 3)
    }

    @Test
    func `a python that is not there is named, and nothing is left`() throws {
        let before = try Holdings.afterFirstPool()
        for _ in 0..<3 {
            let process = function("process") { $0.python = .program("no-such-python") }
            #expect(
                message { () throws(WorkerError) in let _: Int = try process() }
                    == "no worker could be started: 'no-such-python' is not found in PATH")
        }
        before.expectNothingSince()
    }

    @Test(arguments: [
        (
            "#!/bin/sh\necho no luck >&2\nexit 4\n",
            "no worker could be started: the worker exited with status 4: no luck"
        ),
        ("#!/no/such/interpreter\n", "no worker could be started: "), ("no program\n", "no worker could be started: "),
    ])
    func `a program that is no python is told apart, and nothing is left`(text: String, reason: String) async {
        await #expect(processExitsWith: .success) { [text = text as String, reason = reason as String] in
            alarm(60)
            let before = try Holdings.afterFirstPool()
            let program = TemporaryFile(text, isExecutable: true)
            for _ in 0..<3 {
                var configuration = WorkerConfiguration.test()
                configuration.python = .program(program.path)
                let process = PythonWorkers(configuration).function("process", in: "hardships")
                let error = await message { () async throws(WorkerError) in let _: Int = try await process() }
                #expect(error?.hasPrefix(reason) == true, "\(error ?? "nothing")")
                #expect(error?.contains("\n") == false)
            }
            before.expectNothingSince()
        }
    }

    @Test
    func `workers run where they are told to, and search paths start here`() throws {
        let read = function("read_file") { $0.workingDirectory = Checkout.directory + "/Tests" }
        #expect((try read("Fixtures/hardships.py") as String).hasPrefix("\"\"\"What can happen"))
        let paths: [String] = try function("search_path") {
            $0.workingDirectory = "/"
            $0.searchPaths = ["Tests/Fixtures"]
        }()
        #expect(paths.first == FileSystem.currentDirectory + "/Tests/Fixtures")
        #expect(try function("directory")() == FileSystem.currentDirectory)
    }

    @Test
    func `a working directory that is not there is named, and nothing is left`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let before = try Holdings.afterFirstPool()
            for _ in 0..<3 {
                var configuration = WorkerConfiguration.test()
                configuration.workingDirectory = "/no/such/directory"
                let process = PythonWorkers(configuration).function("process", in: "hardships")
                let error = await message { () async throws(WorkerError) in let _: Int = try await process() }
                #expect(error?.hasPrefix("no worker could be started: ") == true, "\(error ?? "nothing")")
                #expect(error?.contains("/no/such/directory") == true, "\(error ?? "nothing")")
                #expect(error?.contains("\n") == false)
            }
            before.expectNothingSince()
        }
    }

    @Test
    func `variables are added, changed and taken away`() throws {
        let variable = function("variable") {
            $0.environmentVariables = ["WORKER_TEST": "ü=1", "HOME": "/", "PATH": nil]
        }
        #expect(try variable("WORKER_TEST") == "ü=1")
        #expect(try variable("HOME") == "/")
        #expect(try variable("PATH") == nil as String?)
        #expect(try function("variable")("PATH") == FileSystem.environmentVariable("PATH"))
    }

    @Test
    func `limits are those of the configuration`() throws {
        let limits = function("limits") { $0.limits = .init(memory: 1 << 30, processorSeconds: 7, openFiles: 50) }
        #expect(try limits() == [1 << 30, 7, 50])
    }

    @Test
    func `too much memory raises, and shared memory is not counted`() throws {
        let take = function("take_memory") { $0.limits.memory = 200 << 20 }
        let error = message { () throws(WorkerError) in try take(500 << 20) }
        #expect(error == "MemoryError")
        try take(50 << 20)
        let sum = take.function.workers.function("total", in: "working").blocking
        let buffer = try SharedBuffer<UInt8>(sharedMemoryCapacity: 1 << 30)
        #expect(try sum(try SharedBuffer<Double>(reinterpreting: buffer, count: 1 << 10)) == 0.0)
    }

    @Test
    func `too much processor time ends the worker by SIGXCPU`() throws {
        let burn = function("burn") { $0.limits.processorSeconds = 1 }
        let end = try end { () throws(WorkerError) in try burn() }
        #expect(end.status == .signalled(SIGXCPU))
        #expect("\(end)".hasPrefix("the worker ended by SIGXCPU"))
    }

    @Test
    func `too many files raise`() throws {
        let open = function("open_files") { $0.limits.openFiles = 30 }
        let error = message { () throws(WorkerError) in try open(100) }
        #expect(error == "OSError: [Errno 24] Too many open files: '/dev/null'")
        try open(5)
    }

    @Test
    func `a script's function is called in the script's own module, which runs once`() throws {
        let script = TemporaryFile(
            """
            import os
            calls = 0
            def count():
                global calls
                calls += 1
                return calls
            def name():
                return __name__
            def file():
                return __file__
            if __name__ == "__main__":
                raise SystemExit("not to be run as a program")
            """, named: "legacy.script.py")
        let workers = PythonWorkers(.test())
        #expect(try workers.function("count", inScript: script.path).blocking() == 1)
        #expect(try workers.function("count", inScript: script.path).blocking() == 2)
        #expect(try workers.function("file", inScript: script.path).blocking() == script.path)
        let error = message { () throws(WorkerError) in try workers.function("none", inScript: script.path).blocking() }
        #expect(error?.contains("has no attribute 'none'") == true)
        let bad = TemporaryFile("def f(:\n", named: "bad.py")
        let syntax = message { () throws(WorkerError) in try workers.function("f", inScript: bad.path).blocking() }
        #expect(syntax?.hasPrefix("SyntaxError: ") == true)
    }
}
