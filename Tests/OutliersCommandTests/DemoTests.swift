import FoundationEssentials
import Testing

@Suite struct DemoTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    @Test(arguments: allEngines)
    func `the outliers of the test data are always the same`(engine: String) async throws {
        #expect(try await outliers("demo", "--engine", engine).succeeds() == "[7, 113, 835]\n")
    }

    @Test func `it runs from any directory`() async throws {
        for directory in ["/", "/proc", try scratch.directory("empty")] {
            let program = try await outliers("demo", changes: ["VIRTUAL_ENV": nil, "HOME": nil], in: directory)
            // Without VIRTUAL_ENV the environment is the nearest .venv from the working directory or from the program.
            #expect(program.succeeds() == "[7, 113, 835]\n")
        }
    }

    @Test(arguments: ["two words", "it's", "say \"yes\"", "données 数据 🦀", "a;b&c|d$e`f\\g", "-x", "100%"])
    func `the program, pyoutliers and a linked environment may lie in a directory of any name`(name: String)
        async throws
    {
        let directory = try scratch.directory(name)
        try FileManager.default.copyItem(atPath: Program.path, toPath: directory + "/outliers")
        try FileManager.default.copyItem(atPath: Program.checkout + "/pyoutliers", toPath: directory + "/pyoutliers")
        _ = try scratch.link(name + "/.venv", to: Program.virtualEnvironment)
        for place in [directory, "/"] {
            let program = try await outliers(
                "demo", changes: ["VIRTUAL_ENV": nil], in: place, program: directory + "/outliers")
            #expect(program.succeeds() == "[7, 113, 835]\n")
        }
        let findings = try await outliers(
            "doctor", changes: ["VIRTUAL_ENV": nil], in: "/", program: directory + "/outliers")
        #expect(findings.succeeds().contains(directory + "/pyoutliers/__init__.py"))
        #expect(findings.output.contains(directory + "/.venv"))
    }
}
