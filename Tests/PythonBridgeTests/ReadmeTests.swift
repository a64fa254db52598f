import FoundationEssentials
import PythonBridge
import Subprocess
import Testing

/// A package that depends on this one by URL, as a user's does.
@Suite struct ReadmeTests {
    @Test func `the README's first program compiles and prints what the README says`() async throws {
        let readme = try String(contentsOfFile: TestPython.repository + "/README.md", encoding: .utf8)
        let program = try #require(readme.section("## A first program").block("swift"))
        let promise = try #require(readme.section("## A first program").split(separator: "It prints `").last)
        let expected = try #require(promise.split(separator: "`").first)
        #expect(program.contains("import PythonBridge") && program.contains(".lending(&target)"))

        let user = try UserPackage(program: program)
        defer { user.remove() }
        try await user.publishCheckout()
        // A libpython outside the system's directories is found where it was linked, as in the Makefile.
        let library = try #require(PythonInterpreter.libraryPath).split(separator: "/").dropLast().joined(
            separator: "/")
        let output = try await user.run(
            ["swift", "run", "--package-path", user.package, "-Xlinker", "-rpath", "-Xlinker", "/" + library, "user"])
        #expect(output.split(separator: "\n").last == expected)
    }
}

extension String {
    /// What stands between a heading and the next one of its level.
    fileprivate func section(_ heading: String) -> String {
        guard let start = firstRange(of: heading + "\n") else { return "" }
        let rest = self[start.upperBound...]
        return String(rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)])
    }

    /// The first fenced block of a language.
    fileprivate func block(_ language: String) -> String? {
        guard let start = firstRange(of: "```\(language)\n") else { return nil }
        let rest = self[start.upperBound...]
        return rest.firstRange(of: "\n```").map { String(rest[..<$0.lowerBound]) + "\n" }
    }
}

/// A new package with the program, in a temporary directory.
private struct UserPackage {
    private let directory: String
    var package: String { directory + "/user" }
    private var library: String { directory + "/python-bridge" }

    init(program: String) throws {
        directory = FileManager.default.temporaryDirectory.path + "/readme-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: package + "/Sources/user", withIntermediateDirectories: true)
        try program.write(toFile: package + "/Sources/user/main.swift", atomically: true, encoding: .utf8)
        try """
        // swift-tools-version: 6.3
        import PackageDescription
        let package = Package(
            name: "user",
            dependencies: [.package(url: "file://\(library)", branch: "main")],
            targets: [
                .executableTarget(
                    name: "user", dependencies: [.product(name: "PythonBridge", package: "python-bridge")])
            ])
        """.write(toFile: package + "/Package.swift", atomically: true, encoding: .utf8)
    }

    /// Makes a repository of the checkout as it is now, whether committed or not.
    func publishCheckout() async throws {
        try FileManager.default.createDirectory(atPath: library, withIntermediateDirectories: true)
        for part in ["Package.swift", "CShim", "Sources"] {
            try FileManager.default.copyItem(atPath: "\(TestPython.repository)/\(part)", toPath: "\(library)/\(part)")
        }
        for target in ["PythonBridgeTests", "OutliersTests", "OutliersCommandTests"] {
            let path = "\(library)/Tests/\(target)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try "".write(toFile: path + "/Empty.swift", atomically: true, encoding: .utf8)
        }
        let author = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        _ = try await run(["git", "-C", library, "init", "--quiet", "--initial-branch=main"])
        _ = try await run(["git", "-C", library, "add", "--all"])
        _ = try await run(["git", "-C", library] + author + ["commit", "--quiet", "--message", "As it is"])
    }

    /// Runs a command and returns its standard output; a failure is recorded with what it printed.
    func run(_ command: [String]) async throws -> String {
        let result = try await Subprocess.run(
            .name(command[0]), arguments: Arguments(Array(command.dropFirst())),
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        let output = result.standardOutput
        #expect(result.terminationStatus.isSuccess, "\(command): \(output)\(result.standardError)")
        return output
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: directory)
    }
}
