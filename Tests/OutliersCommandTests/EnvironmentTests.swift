import FoundationEssentials
import Testing

/// Which Python, numpy and pyoutliers are used, and what is said when they cannot be.
@Suite struct EnvironmentTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// A copy of the program in a directory of its own, without pyoutliers; its path.
    private func copyOfProgram() throws -> String {
        let path = try scratch.directory("copy") + "/outliers"
        try FileManager.default.copyItem(atPath: Program.path, toPath: path)
        return path
    }

    /// A copy of the program beside a package `pyoutliers` that consists of this.
    private func program(beside source: String) throws -> String {
        let program = try copyOfProgram()
        _ = try scratch.directory("copy/pyoutliers")
        _ = try scratch.file("copy/pyoutliers/__init__.py", source)
        return program
    }

    private let usingPython = [
        ["demo"], ["detect", nile, "--column", "2"], ["detect", nile, "--column", "2", "--engine", "copying"],
    ]

    // MARK: Which environment

    @Test func `VIRTUAL_ENV is used`() async throws {
        let path = try await scratch.environment("numpy")
        #expect(try await outliers("demo", changes: ["VIRTUAL_ENV": path]).succeeds() == "[7, 113, 835]\n")
        let findings = try await outliers("doctor", changes: ["VIRTUAL_ENV": path]).output
        #expect(findings.contains("environment   \(path) (VIRTUAL_ENV)\n"))
        #expect(findings.contains("\(path)/bin/python"))
    }

    @Test func `--python-env beats VIRTUAL_ENV`() async throws {
        let path = try await scratch.environment("numpy")
        let findings = try await outliers("doctor", "--python-env", path, changes: ["VIRTUAL_ENV": "/nowhere"])
        #expect(findings.succeeds().contains("environment   \(path) (chosen)\n"))
        #expect(try await outliers("demo", "--python-env", path, changes: ["VIRTUAL_ENV": "/nowhere"]).succeeds() != "")
    }

    @Test func `--python-env may be relative and end in a slash`() async throws {
        _ = try await scratch.environment("numpy", name: "my env")
        for name in ["my env", "./my env/", "../\(scratch.path.split(separator: "/").last ?? "")/my env"] {
            #expect(try await outliers("demo", "--python-env", name, in: scratch.path).succeeds() == "[7, 113, 835]\n")
        }
    }

    @Test func `an empty VIRTUAL_ENV is none`() async throws {
        #expect(try await outliers("demo", changes: ["VIRTUAL_ENV": ""], in: "/").succeeds() != "")
    }

    @Test func `the nearest environment upwards from the working directory is used`() async throws {
        _ = try await scratch.environment("numpy", name: ".venv")
        let directory = try scratch.directory("a/b/c")
        let findings = try await outliers("doctor", changes: ["VIRTUAL_ENV": nil], in: directory)
        #expect(findings.succeeds().contains("environment   \(scratch[".venv"]) (found upwards from"))
    }

    @Test func `rubbish in the variables that Python reads is ignored`() async throws {
        _ = try scratch.file("numpy.py", "raise SystemExit('the wrong numpy')")
        let changes = [
            "PYTHONPATH": scratch.path, "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "/nowhere", "PYTHONINSPECT": "1",
            "PYTHONVERBOSE": "1", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "rubbish", "PYTHONMALLOC": "rubbish",
            "PYTHONHASHSEED": "rubbish", "PYTHONUTF8": "rubbish", "PYTHONDEVMODE": "1", "PYTHONPLATLIBDIR": "x",
        ]
        #expect(try await outliers("demo", changes: changes, in: scratch.path).succeeds() == "[7, 113, 835]\n")
    }

    @Test func `modules in the working directory are not imported`() async throws {
        for name in ["numpy.py", "pyoutliers.py", "math.py", "site.py", "sitecustomize.py"] {
            _ = try scratch.file(name, "raise SystemExit('the wrong module')")
        }
        #expect(try await outliers("demo", in: scratch.path).succeeds() == "[7, 113, 835]\n")
    }

    @Test(arguments: ["C", "POSIX", "de_DE.UTF-8", "rubbish"])
    func `any locale will do`(locale: String) async throws {
        let path = try scratch.file("é.csv", "é\n1.5\n2.5\n")
        let report = try await outliers("detect", path, "--json", changes: ["LC_ALL": locale, "LANG": locale]).report()
        #expect(report.mean == 2)
    }

    @Test func `the native engine needs no Python environment`() async throws {
        let program = try copyOfProgram()
        let changes = ["VIRTUAL_ENV": "/nowhere"]
        let found = try await outliers(
            "detect", nile, "--column", "2", "--engine", "native", "--indices", changes: changes, program: program)
        #expect(try found.list() == [8, 24, 42])
        let demo = try await outliers("demo", "--engine", "native", changes: changes, program: program)
        #expect(demo.succeeds() == "[7, 113, 835]\n")
    }

    // MARK: What is wrong with it

    @Test func `an environment that is not there is named`() async throws {
        for arguments in usingPython {
            try await outliers(arguments + ["--python-env", "/nowhere/env"]).fails(69, "/nowhere/env")
            try await outliers(arguments, changes: ["VIRTUAL_ENV": "/nowhere/env"])
                .fails(69, "/nowhere/env", "VIRTUAL_ENV")
        }
    }

    @Test func `a directory that is no environment is named`() async throws {
        for arguments in usingPython {
            try await outliers(arguments + ["--python-env", scratch.path]).fails(69, scratch.path, "pyvenv.cfg")
        }
    }

    @Test func `a file that is no environment is named`() async throws {
        try await outliers("demo", "--python-env", nile).fails(69, nile, "not a directory")
    }

    @Test(arguments: ["3.8.18", "3.99.0", "2.7.18", "4.0.0"])
    func `an environment of another version is named with the one that is needed`(version: String) async throws {
        let path = try await scratch.environment()
        try await python(
            """
            import re, sys
            path = sys.argv[1] + '/pyvenv.cfg'
            text = re.sub(r'(?m)^version = .*$', 'version = ' + sys.argv[2], open(path).read())
            open(path, 'w').write(text)
            """, path, version)
        let linked = try await python("import sys; print('Python %d.%d' % sys.version_info[:2], end='')")
        let short = version.split(separator: ".").prefix(2).joined(separator: ".")
        for arguments in usingPython {
            try await outliers(arguments + ["--python-env", path]).fails(69, path, "Python \(short)", linked)
        }
        let doctor = try await outliers("doctor", "--python-env", path)
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^wrong .*Python .*; --engine worker and subprocess can use this one$/#))
        #expect(doctor.output.contains(path))
    }

    @Test(arguments: [
        "", "home = /usr/bin\n", "version = \n", "version = x.y\n", "version\n", "\u{0}\u{FF}", "version = 3",
    ])
    func `an environment that does not tell its version is named`(text: String) async throws {
        let path = try scratch.directory("env")
        _ = try scratch.file("env/pyvenv.cfg", text)
        try await outliers("demo", "--python-env", path).fails(69, path, "version")
    }

    @Test func `an environment whose python is gone is named`() async throws {
        let path = try await scratch.environment()
        try FileManager.default.removeItem(atPath: path + "/bin/python")
        try await outliers("demo", "--python-env", path).fails(69, path, "bin/python")
    }

    @Test func `an environment without numpy says that numpy is missing`() async throws {
        let path = try await scratch.environment()
        for arguments in usingPython {
            try await outliers(arguments + ["--python-env", path]).fails(69, "numpy", "doctor")
        }
        let doctor = try await outliers("doctor", "--python-env", path)
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^wrong +numpy: .*-m pip install numpy$/#))
        // What is there but needs it is not what to install; nor is what only a picture needs wrong.
        #expect(doctor.output.contains(#/(?m)^wrong +pyoutliers: .* No module named 'numpy'$/#))
        #expect(doctor.output.contains(#/(?m)^without +matplotlib: .*-m pip install matplotlib$/#))
    }

    @Test func `where there is no environment, one is advised`() async throws {
        // A system's own packages may be there.
        let doctor = try await outliers("doctor", changes: ["VIRTUAL_ENV": nil], program: try copyOfProgram())
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^environment +none /#))
        #expect(
            doctor.output.contains(#/(?m)^wrong +pyoutliers: .*-m venv .venv && .venv/bin/python -m pip install /#))
    }

    @Test(arguments: [
        "raise ImportError('\\n\\nIMPORTANT: PLEASE READ THIS\\n\\nnumpy cannot be loaded')",
        "raise RuntimeError('broken')",
        "import nothing_of_this_name", "this is no Python", "raise SystemExit(3)", "raise KeyboardInterrupt",
    ])
    func `a numpy that cannot be imported is unusable`(source: String) async throws {
        let path = try await scratch.environment(modules: ["numpy/__init__.py": source])
        try await outliers("demo", "--python-env", path).fails(69)
        let doctor = try await outliers("doctor", "--python-env", path)
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^wrong +numpy: /#))
    }

    @Test func `a plot without matplotlib says how to get it`() async throws {
        let path = try await scratch.environment("numpy")
        for engine in engines {
            try await outliers(
                "detect", nile, "--column", "2", "--engine", engine, "--plot", scratch["p.png"], "--python-env", path
            ).fails(69, "matplotlib", "\(path)/bin/python", "-m pip install matplotlib")
        }
        #expect(try !scratch.names.contains("p.png"))
    }

    @Test func `a plot without an environment says so, whatever the engine`() async throws {
        try await outliers(
            "detect", nile, "--column", "2", "--engine", "native", "--plot", scratch["p.png"], "--python-env",
            "/nowhere"
        ).fails(69, "/nowhere")
    }

    // MARK: pyoutliers

    @Test func `a program without pyoutliers says that it is missing`() async throws {
        let program = try copyOfProgram()
        for arguments in usingPython {
            try await outliers(arguments, program: program).fails(69, "pyoutliers", "doctor")
        }
        let doctor = try await outliers("doctor", program: program)
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^wrong +pyoutliers: .*pip install \.\/pyoutliers/#))
    }

    @Test(arguments: [
        "raise ImportError('broken on purpose')", "import nothing_of_this_name", "def f(:",
        "raise RuntimeError('broken')",
        "1 / 0", "raise SystemExit(3)", "raise KeyboardInterrupt", "raise ImportError('two\\nlines')",
        "raise Exception('two\\r\\nlines')",
    ])
    func `a pyoutliers that cannot be imported is unusable`(source: String) async throws {
        let program = try program(beside: source)
        for arguments in usingPython { try await outliers(arguments, program: program).fails(69) }
        let doctor = try await outliers("doctor", program: program)
        doctor.failsWithFindings(69)
        #expect(doctor.output.contains(#/(?m)^wrong +pyoutliers: /#))
    }

    @Test(arguments: ["", "detect_into = 5\nmoments = 5\ndetect = 5", "def detect_into(*a, **k): return 0"])
    func `a pyoutliers that lacks a function is unusable`(source: String) async throws {
        let program = try program(beside: source)
        for arguments in usingPython { try await outliers(arguments, program: program).fails(69, "doctor") }
    }

    @Test(arguments: [
        "return 'text'", "return None", "return -1", "return 10 ** 30", "return 10 ** 9",
        "raise Exception('two\\nlines')",
        "raise SystemExit(3)", "raise KeyboardInterrupt", "raise BaseException", "return [[1]]",
    ])
    func `a pyoutliers that returns nonsense is a bug in words, not a crash`(body: String) async throws {
        let program = try program(
            beside: """
                def detect_into(samples, indices, **keywords): \(body)
                detect_allocating = detect_into
                def detect(samples, **keywords): \(body)
                def moments(samples, **keywords): return 0.0, 1.0
                """)
        for arguments in usingPython { try await outliers(arguments, program: program).fails(70) }
    }

    @Test(arguments: ["-1", "10 ** 9", "1 << 62"])
    func `a pyoutliers that returns an index of no sample is a bug in words, not a crash`(index: String) async throws {
        let program = try program(
            beside: """
                def detect_into(samples, indices, **keywords):
                    indices[0] = \(index)
                    return 1
                detect_allocating = detect_into
                def detect(samples, **keywords): return [\(index)]
                def moments(samples, **keywords): return 0.0, 1.0
                """)
        for arguments in usingPython { try await outliers(arguments, program: program).fails(70) }
    }
}
