import Glibc
import PythonBridge
import Testing

/// What of the user's settings counts, each test in a process of its own.
@Suite(.timeLimit(.minutes(15))) struct IsolationTests {
    @Test func `the user's variables do not count`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("PYTHONPATH", "/tmp/from-the-user", 1)
            unsafe setenv("PYTHONHOME", "/nonexistent", 1)
            unsafe setenv("PYTHONWARNINGS", "error", 1)
            unsafe setenv("PYTHONOPTIMIZE", "2", 1)
            unsafe setenv("PYTHONDONTWRITEBYTECODE", "1", 1)
            let python = try TestPython.start()
            let path: [String] = try python.evaluate("__import__('sys').path")
            #expect(!path.contains("/tmp/from-the-user"))
            try python.run("import sys")
            let flags: [Int] = try python.evaluate("[sys.flags.isolated, sys.flags.optimize]")
            #expect(flags == [1, 0])
        }
    }

    @Test func `the user's module path counts when asked for`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("PYTHONPATH", "/tmp/from-the-user", 1)
            let python = try PythonInterpreter.start(.init(usesEnvironmentVariables: true))
            let path: [String] = try python.evaluate("__import__('sys').path")
            #expect(path.contains("/tmp/from-the-user"))
        }
    }

    @Test func `the user's home counts when asked for`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("PYTHONHOME", "/nonexistent", 1)
            let error = thrown { _ = try PythonInterpreter.start(.init(usesEnvironmentVariables: true)) }
            guard case .interpreter = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: [false, true])
    func `the user's own packages count only when asked for`(isAsked: Bool) async {
        await #expect(processExitsWith: .success) { [isAsked] in
            unsafe setenv("HOME", "/tmp", 1)
            let python = try PythonInterpreter.start(.init(environment: .system, usesUserSite: isAsked))
            let enabled: Bool = try python.evaluate("bool(__import__('site').ENABLE_USER_SITE)")
            #expect(enabled == isAsked)
        }
    }

    @Test(arguments: [false, true])
    func `signals are taken over only when asked for`(isAsked: Bool) async {
        await #expect(processExitsWith: .success) { [isAsked] in
            let python = try PythonInterpreter.start(.init(installsSignalHandlers: isAsked))
            try python.run("import signal, subprocess")
            try python.run("caught = [l for l in open('/proc/self/status') if l.startswith('SigCgt')][0].split()[1]")
            let isTaken: Bool = try python.evaluate("bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)")
            #expect(isTaken == isAsked)
        }
    }

    @Test(arguments: ["C", "POSIX", "en_US.ISO-8859-1"])
    func `text is UTF-8 whatever the locale`(locale: String) async {
        await #expect(processExitsWith: .success) { [locale] in
            unsafe setenv("LC_ALL", locale, 1)
            unsafe setlocale(LC_ALL, "")
            let python = try TestPython.start()
            let names: [String] = try python.evaluate(
                "(lambda s: [s.getfilesystemencoding(), s.stdout.encoding, str(s.flags.utf8_mode)])(__import__('sys'))"
            )
            #expect(names == ["utf-8", "utf-8", "1"])
        }
    }

    @Test func `the prefix is the environment's, and so are the packages`() async {
        await #expect(processExitsWith: .success) {
            let environment = TestPython.virtualEnvironment
            let python = try PythonInterpreter.start(.init(environment: .virtualEnvironment(environment)))
            let prefix: String = try python.evaluate("__import__('sys').prefix")
            #expect(prefix == environment)
            let executable: String = try python.evaluate("__import__('sys').executable")
            #expect(executable == environment + "/bin/python")
            let isBase: Bool = try python.evaluate("__import__('sys').base_prefix != __import__('sys').prefix")
            #expect(isBase)
            let file: String = try python.evaluate("__import__('numpy').__file__")
            #expect(file.hasPrefix(environment))
        }
    }

    @Test func `the system's environment has the system's prefix`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("VIRTUAL_ENV", TestPython.virtualEnvironment, 1)
            let python = try PythonInterpreter.start(.init(environment: .system))
            let isBase: Bool = try python.evaluate("__import__('sys').base_prefix == __import__('sys').prefix")
            #expect(isBase)
            #expect(python.environment.directory == nil)
        }
    }

    @Test(arguments: ["plain", "with space", "it's", "double\"quote", "żółw 🐢", "per%cent;semi:colon", "back\\slash"])
    func `modules are found in a folder of any name`(name: String) async {
        await #expect(processExitsWith: .success) { [name] in
            try withTemporaryDirectory(named: name) { folder in
                folder.write("value = 42\n", to: "path_module.py")
                let python = try PythonInterpreter.start(.init(searchPaths: [folder.path]))
                let value: Int = try python.evaluate("__import__('path_module').value")
                #expect(value == 42)
                let first: String = try python.evaluate("__import__('sys').path[0]")
                #expect(first == folder.path)
            }
        }
    }

    @Test func `search paths come first, in their order`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                let paths = ["first", "second", "third"].map { folder.makeFolder($0) }
                for (index, path) in paths.enumerated() {
                    writeFile(Array("value = \(index)".utf8), to: path + "/json.py")
                }
                let python = try PythonInterpreter.start(.init(searchPaths: paths))
                let path: [String] = try python.evaluate("__import__('sys').path[:3]")
                #expect(path == paths)
                let value: Int = try python.evaluate("__import__('json').value")
                #expect(value == 0)
            }
        }
    }

    @Test func `search paths come first also when one is given twice or is known already`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                let (first, second) = (folder.makeFolder("first"), folder.makeFolder("second"))
                let packages = TestPython.virtualEnvironment + "/lib/python\(PythonVersion.linked)/site-packages"
                let paths = [first, first, packages, second]
                let python = try PythonInterpreter.start(
                    .init(environment: .virtualEnvironment(TestPython.virtualEnvironment), searchPaths: paths))
                let path: [String] = try python.evaluate("__import__('sys').path[:3]")
                #expect(path[0] == first)
                #expect(path[2] == second)
            }
        }
    }

    @Test func `a relative search path starts at the working directory`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                folder.makeFolder("inner")
                folder.write("value = 7", to: "inner/relative_module.py")
                let environment = TestPython.virtualEnvironment
                _ = unsafe chdir(folder.path)
                let python = try PythonInterpreter.start(
                    .init(environment: .virtualEnvironment(environment), searchPaths: ["inner"]))
                _ = unsafe chdir("/")
                let value: Int = try python.evaluate("__import__('relative_module').value")
                #expect(value == 7)
            }
        }
    }
}
