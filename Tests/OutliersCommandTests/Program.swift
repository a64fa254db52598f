import FoundationEssentials
import Subprocess
import Testing

/// The program `outliers` as a child process.
struct Program {
    /// The checkout's directory.
    static let checkout = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

    /// `OUTLIERS_PROGRAM`, from the checkout if it is relative; else the binary beside the tests.
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["OUTLIERS_PROGRAM"], !path.isEmpty {
            return path.hasPrefix("/") ? path : "\(checkout)/\(path)"
        }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return tests.prefix(upTo: tests.lastIndex(of: "/") ?? tests.startIndex) + "/outliers"
    }()

    /// The environment with numpy, scipy and matplotlib that `make` prepared.
    static let virtualEnvironment = ProcessInfo.processInfo.environment["VIRTUAL_ENV"] ?? "\(checkout)/.venv"

    /// What every child sees. The options of the sanitizers are for the instrumented program. OpenBLAS starts no thread of its own, which
    /// takes a third of the processor's time for a start.
    static let environment: [String: String] = {
        let inherited = ProcessInfo.processInfo.environment
        var environment = ["VIRTUAL_ENV": virtualEnvironment, "OPENBLAS_NUM_THREADS": "1"]
        for name in ["PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"] {
            environment[name] = inherited[name]
        }
        return environment
    }()

    /// What was run, to be shown when an expectation is not met.
    let command: [String]
    let output: String
    let error: String
    let status: TerminationStatus

    var code: Int32? {
        if case .exited(let code) = status { return code }
        return nil
    }
}

/// Runs `outliers` with a clean environment.
///
/// - Parameters:
///   - input: What comes through a pipe as standard input; nothing when it is nil.
///   - changes: Environment variables to set, or to remove with nil.
///   - directory: The working directory.
///   - program: Another copy of the program.
func outliers(
    _ arguments: String..., input: String? = nil, changes: [String: String?] = [:], in directory: String = "/",
    program: String = Program.path
) async throws -> Program {
    try await outliers(arguments, input: input, changes: changes, in: directory, program: program)
}

func outliers(
    _ arguments: [String], input: String? = nil, changes: [String: String?] = [:], in directory: String = "/",
    program: String = Program.path
) async throws -> Program {
    try await start([program] + arguments, input: input, changes: changes, in: directory)
}

/// Runs `outliers detect` with the engine that starts at once: for what does not depend on the engine.
func detect(_ arguments: String..., input: String? = nil, in directory: String = "/") async throws -> Program {
    try await outliers(["detect", "--engine", "native"] + arguments, input: input, in: directory)
}

/// Runs a shell script, for redirections: `"$outliers"` is the program, and `$1` the first of the arguments.
func shell(_ script: String, _ arguments: String..., in directory: String = "/") async throws -> Program {
    try await start(
        ["/bin/sh", "-c", script, "sh"] + arguments, input: nil, changes: ["outliers": Program.path], in: directory)
}

/// What a Python script prints; `sys.argv[1]` is the first of the arguments.
@discardableResult
func python(_ script: String, _ arguments: String..., in directory: String = "/") async throws -> String {
    let python = try await start(
        ["\(Program.virtualEnvironment)/bin/python", "-c", script] + arguments, input: nil,
        changes: ["outliers": Program.path], in: directory)
    try #require(python.code == 0, "the fixture's own script failed: \(python.error)")
    return python.output
}

private func start(
    _ command: [String], input: String?, changes: [String: String?], in directory: String
) async throws -> Program {
    let variables = Program.environment.merging(changes.mapValues { $0 ?? "" }) { _, new in new }
        .filter { name, _ in changes[name] != .some(nil) }.map { "\($0)=\($1)" }
    // env(1) takes the directory and the variables as they are, whatever is in them.
    var arguments = ["env", "-i", "--chdir=\(directory)"] + variables + command
    let file = input.map { _ in "/tmp/outliers-input-\(UUID().uuidString)" }
    defer { if let file { try? FileManager.default.removeItem(atPath: file) } }
    if let file, let input {
        try Data(input.utf8).write(to: URL(fileURLWithPath: file))
        // The shell's pipe: a program that does not read its input to the end would end the tests with SIGPIPE by theirs.
        arguments = ["sh", "-c", "file=$1; shift; cat \"$file\" | \"$@\"", "sh", file] + arguments
    }
    let limit = 64 << 20
    await Places.shared.enter()
    do {
        let result = try await run(
            .name(arguments[0]), arguments: Arguments(Array(arguments.dropFirst())), input: .none,
            output: .bytes(limit: limit), error: .bytes(limit: limit))
        await Places.shared.leave()
        return Program(command, result.standardOutput, result.standardError, result.terminationStatus)
    } catch {
        await Places.shared.leave()
        throw error
    }
}

extension Program {
    fileprivate init(_ command: [String], _ output: [UInt8], _ error: [UInt8], _ status: TerminationStatus) {
        self.command = command
        self.output = String(decoding: output, as: UTF8.self)
        self.error = String(decoding: error, as: UTF8.self)
        self.status = status
    }
}

/// How many children may run at a time: Swift Testing starts all tests at once.
private actor Places {
    static let shared = Places()

    private var free = 4
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

// MARK: - Expectations

extension Program {
    /// Expects success, and nothing on standard error; the standard output.
    @discardableResult
    func succeeds(sourceLocation: SourceLocation = #_sourceLocation) -> String {
        #expect(status == .exited(0), "\(command): \(error)", sourceLocation: sourceLocation)
        #expect(error == "", "\(command)", sourceLocation: sourceLocation)
        return output
    }

    /// Expects one line on standard error that says all of `parts`, nothing on standard output, and this exit code.
    func fails(_ code: Int32, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        failsOnOneLine(code, parts, sourceLocation)
        #expect(output == "", "\(command)", sourceLocation: sourceLocation)
    }

    /// The same for `doctor`, whose findings stand on standard output.
    func failsWithFindings(_ code: Int32, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        failsOnOneLine(code, parts, sourceLocation)
    }

    private func failsOnOneLine(_ code: Int32, _ parts: [String], _ sourceLocation: SourceLocation) {
        #expect(status == .exited(code), "\(command): \(error)", sourceLocation: sourceLocation)
        #expect(error.hasPrefix("outliers: "), "\(command)", sourceLocation: sourceLocation)
        #expect(error.hasSuffix("\n"), "\(command)", sourceLocation: sourceLocation)
        #expect(error.dropLast().allSatisfy { !$0.isNewline }, "\(command)", sourceLocation: sourceLocation)
        for part in parts { #expect(error.contains(part), "\(command)", sourceLocation: sourceLocation) }
    }

    /// Expects success; the list that `--indices` prints.
    func list(sourceLocation: SourceLocation = #_sourceLocation) throws -> [Int] {
        succeeds(sourceLocation: sourceLocation)
        return try JSONDecoder().decode([Int].self, from: Data(output.utf8))
    }

    /// Expects success; the object that `--json` prints.
    func report(sourceLocation: SourceLocation = #_sourceLocation) throws -> Report {
        succeeds(sourceLocation: sourceLocation)
        return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
    }
}

/// What `--json` prints.
struct Report: Decodable, Equatable {
    var count: Int
    var indices: [Int]
    var samples: Int
    var mean: Double?
    var standardDeviation: Double?
    var threshold: Double
    var engine: String
}

let engines = ["embedded", "copying", "worker", "native"]
/// With the one that starts a process for each detection.
let allEngines = engines + ["subprocess"]
