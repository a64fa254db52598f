import Glibc
import PythonBridge
import Testing

/// Which environment is found, without a Python being started.
@Suite struct EnvironmentTests {
    /// A folder that looks like an environment.
    static func make(
        _ folder: TemporaryDirectory, _ name: String, configuration: String? = "version = \(PythonVersion.linked).4\n",
        hasPython: Bool = true
    ) -> String {
        let environment = folder.makeFolder(name)
        folder.makeFolder(name + "/bin")
        if let configuration { folder.write("home = /usr/bin\n" + configuration, to: name + "/pyvenv.cfg") }
        if hasPython {
            let python = folder.write("#!/bin/sh\n", to: name + "/bin/python")
            _ = unsafe chmod(python, 0o755)
        }
        return environment
    }

    /// The reason why an environment is refused.
    static func refusal(_ environment: PythonEnvironment) -> String? {
        guard case .environment(let reason) = thrown({ _ = try environment.locate() }) else { return nil }
        return reason
    }

    @Test(arguments: ["env", "with space", "it's \"quoted\"", "środowisko 🐢"])
    func `an environment that is named is taken`(name: String) throws {
        try withTemporaryDirectory { folder in
            let path = Self.make(folder, name)
            let location = try PythonEnvironment.virtualEnvironment(path).locate()
            #expect(location.directory == path)
            #expect(location.executable == path + "/bin/python")
        }
    }

    @Test(arguments: [
        "version = 3.11.2\n", "version=3.11.2", "version_info = 3.11.2.final.0\n",
        "uv = 0.5.1\nversion_info = 3.11.2\n",
        "virtualenv = 20.1\nversion_info = 3.11.2.final.0\r\ninclude-system-site-packages = false\r\n",
        "  version =  3.11\n",
    ])
    func `the version is read as every tool writes it`(configuration: String) throws {
        let configuration = configuration.replacing("3.11", with: "\(PythonVersion.linked)")
        try withTemporaryDirectory { folder in
            let path = Self.make(folder, "env", configuration: configuration)
            let location = try PythonEnvironment.virtualEnvironment(path).locate()
            #expect(location.directory == path)
        }
    }

    @Test(arguments: [
        "version = 3.5.1\n", "version_info = 2.7.18.final.0\n", "version = 4.\(PythonVersion.linked.minor)\n",
    ])
    func `an environment of another version is refused by both versions' names`(configuration: String) throws {
        try withTemporaryDirectory { folder in
            let path = Self.make(folder, "env", configuration: configuration)
            let reason = try #require(Self.refusal(.virtualEnvironment(path)))
            let version = try #require(configuration.split { " \n".contains($0) }.last).split(separator: ".").prefix(2)
            #expect(reason.contains(version.joined(separator: ".")))
            #expect(reason.contains("\(PythonVersion.linked)"))
            #expect(reason.contains(path))
        }
    }

    @Test(arguments: ["", "version = \n", "version\n", "version = three\n", "versions = 3.11\n"])
    func `an environment that does not tell its version is refused`(configuration: String) throws {
        try withTemporaryDirectory { folder in
            let path = Self.make(folder, "env", configuration: configuration)
            #expect(Self.refusal(.virtualEnvironment(path))?.contains("version") == true)
        }
    }

    @Test func `what is no environment is refused, and the reason says why`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.write("", to: "file")
            #expect(Self.refusal(.virtualEnvironment(file))?.contains("not a directory") == true)
            #expect(Self.refusal(.virtualEnvironment(folder.path + "/missing"))?.contains("not a directory") == true)
            let plain = Self.make(folder, "plain", configuration: nil)
            #expect(Self.refusal(.virtualEnvironment(plain))?.contains("no pyvenv.cfg") == true)
            let broken = Self.make(folder, "broken", hasPython: false)
            #expect(Self.refusal(.virtualEnvironment(broken))?.contains("bin/python") == true)
            #expect(Self.refusal(.virtualEnvironment("")) != nil)
        }
    }

    @Test func `a python that is a folder, a broken link or not executable is refused`() throws {
        try withTemporaryDirectory { folder in
            let directory = Self.make(folder, "directory", hasPython: false)
            folder.makeFolder("directory/bin/python")
            let link = Self.make(folder, "link", hasPython: false)
            _ = unsafe symlink("/nonexistent/python", link + "/bin/python")
            let plain = Self.make(folder, "plain", hasPython: false)
            folder.write("", to: "plain/bin/python")
            for path in [directory, link, plain] {
                #expect(Self.refusal(.virtualEnvironment(path))?.contains("bin/python") == true)
            }
        }
    }

    @Test func `VIRTUAL_ENV goes before the nearest environment`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                let active = Self.make(folder, "active")
                _ = Self.make(folder, ".venv")
                _ = unsafe chdir(folder.path)
                unsafe setenv("VIRTUAL_ENV", active, 1)
                let location = try PythonEnvironment.automatic.locate()
                #expect(location.directory == active)
                #expect(location.origin == "VIRTUAL_ENV")
            }
        }
    }

    @Test func `an active environment that is broken is refused rather than passed over`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("VIRTUAL_ENV", "/nonexistent", 1)
            #expect(Self.refusal(.automatic)?.contains("VIRTUAL_ENV") == true)
        }
    }

    @Test func `the nearest environment upwards is taken`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                unsafe setenv("VIRTUAL_ENV", "", 1)
                let outer = Self.make(folder, ".venv")
                let deep = folder.makeFolder("project/sources/deep")
                _ = unsafe chdir(deep)
                let far = try PythonEnvironment.automatic.locate()
                #expect(far.directory == outer)
                let inner = Self.make(folder, "project/.venv")
                let near = try PythonEnvironment.automatic.locate()
                #expect(near.directory == inner)
            }
        }
    }

    @Test func `the nearest environment is refused when it is of another version`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                unsafe unsetenv("VIRTUAL_ENV")
                _ = Self.make(folder, ".venv", configuration: "version = 3.5.1\n")
                _ = unsafe chdir(folder.path)
                #expect(Self.refusal(.automatic)?.contains("3.5") == true)
            }
        }
    }

    @Test func `a relative environment starts at the working directory`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { folder in
                let path = Self.make(folder, "env")
                _ = unsafe chdir(folder.path)
                let location = try PythonEnvironment.virtualEnvironment("env").locate()
                #expect(location.executable == path + "/bin/python")
            }
        }
    }

    @Test func `the system's environment has the linked version's python`() throws {
        let location = try PythonEnvironment.system.locate()
        #expect(location.directory == nil)
        #expect(location.executable?.hasSuffix("/bin/python\(PythonVersion.linked)") == true)
    }

    @Test(arguments: [("3.11", 11), ("3.9.1", 9), ("3.13.0rc1", 13), ("3.14.0.final.0", 14)])
    func `a version is read from its text`(text: String, minor: Int) {
        #expect(PythonVersion(text)?.major == 3)
        #expect(PythonVersion(text)?.minor == minor)
    }

    @Test(arguments: ["", "3", "three.eleven", ".", "3.", "3.x"])
    func `what is no version is none`(text: String) {
        #expect(PythonVersion(text) == nil)
    }
}
