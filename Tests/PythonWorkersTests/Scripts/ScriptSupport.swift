import FoundationEssentials
import PythonWorkers
import Testing

let checkout = #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 }

/// A script that is Python code.
func code(_ code: String, grace: Duration = .milliseconds(100)) -> PythonScript {
    PythonScript(.code(code), grace: grace)
}

/// A directory of one test's own, with files in it. It goes away with the value.
final class Directory: Sendable {
    let path: String

    init(_ files: [String: String] = [:]) throws {
        path = FileManager.default.temporaryDirectory.path + "/scripts-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }
}

/// The error that a closure throws; a test that gets none fails.
func failure<R>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws(ScriptError) -> R
) async throws -> ScriptError {
    do throws(ScriptError) {
        _ = try await body()
    } catch {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw Missing()
}

struct Missing: Error {}

/// Waits until something is so; false when it is not after ten seconds.
func eventually(_ condition: () throws -> Bool) async rethrows -> Bool {
    for _ in 0..<1000 {
        if try condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}

/// The state of a process, such as R, S, T or Z; nil when it is not there. Source: proc(5), stat.
func stateOf(_ process: Int) -> Character? {
    guard let stat = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return nil }
    return String(decoding: stat, as: UTF8.self).split(separator: ")").last?.first { $0 != " " }
}

/// Whether a process is there and has not ended.
func isAlive(_ process: Int) -> Bool { stateOf(process).map { $0 != "Z" && $0 != "X" } ?? false }
