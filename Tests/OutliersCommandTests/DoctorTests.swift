import Testing

@Suite struct DoctorTests {
    @Test func `all that a detection needs is listed with its version and place`() async throws {
        let output = try await outliers("doctor").succeeds()
        let labels = output.split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(labels == ["libpython", "environment", "python", "version", "numpy", "pyoutliers", "matplotlib"])
        let expected = try await python(
            """
            import sys, numpy, matplotlib
            print('libpython     %d.%d, /' % sys.version_info[:2])
            print('version       %d.%d.%d' % sys.version_info[:3])
            print('numpy         %s, %s' % (numpy.__version__, numpy.__file__))
            print('matplotlib    %s, %s' % (matplotlib.__version__, matplotlib.__file__))
            """)
        for line in expected.split(separator: "\n") { #expect(output.contains(line)) }
        #expect(output.contains("environment   \(Program.virtualEnvironment) (VIRTUAL_ENV)\n"))
        #expect(output.contains("python        \(Program.virtualEnvironment)/bin/python\n"))
        #expect(output.contains("\(Program.checkout)/pyoutliers/__init__.py\n"))
    }

    @Test func `what is wrong is told, and libpython all the same`() async throws {
        let program = try await outliers("doctor", "--python-env", "/nowhere")
        program.failsWithFindings(69, "wrong")
        let lines = program.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("libpython     ") == true)
        #expect(lines.last?.hasPrefix("wrong         the environment '/nowhere' (chosen) is not a directory") == true)
    }
}
