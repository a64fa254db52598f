import Glibc
import PythonBridge
import PythonWorkers
import Testing

/// What the kernel says of processes. Source: proc(5).
enum Processes {
    /// The state's letter; nil when there is no such process.
    static func state(of process: Int32) -> Character? { field("State", of: process)?.first }

    /// Whether it is there and not a zombie.
    static func isRunning(_ process: Int32) -> Bool { state(of: process).map { $0 != "Z" && $0 != "X" } ?? false }

    /// The processes whose parent is this one, zombies among them, but for what ThreadSanitizer starts to name the source of a race that
    /// is suppressed.
    static func children() -> [Int32] { allChildren().filter { !isSymbolizer($0) } }

    /// How many of those there are, each of which has two pipes.
    static func symbolizers() -> Int { allChildren().count(where: isSymbolizer) }

    private static func allChildren() -> [Int32] {
        entries(of: "/proc").compactMap { Int32($0) }.filter { field("PPid", of: $0) == "\(getpid())" }
    }

    private static func isSymbolizer(_ process: Int32) -> Bool { field("Name", of: process) == "llvm-symbolizer" }

    /// Its state and what it was started as.
    static func description(of process: Int32) -> String {
        let words = FileSystem.lines(of: "/proc/\(process)/cmdline")?.first?.split(separator: "\0") ?? []
        return "\(process) (\(state(of: process) ?? "?")): \(words.joined(separator: " "))"
    }

    private static func field(_ name: String, of process: Int32) -> String? {
        let lines = FileSystem.lines(of: "/proc/\(process)/status") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("\(name):") }) else { return nil }
        return line.dropFirst(name.count + 1).split(whereSeparator: \.isWhitespace).first.map { String($0) }
    }

    /// The bytes that a field of `smaps_rollup`, or of one mapping in `smaps`, names.
    static func bytes(_ names: [String], in lines: [Substring]) -> Int {
        lines.filter { line in names.contains { line.hasPrefix("\($0):") } }
            .compactMap { Int($0.filter(\.isNumber)) }.reduce(0) { $0 + $1 << 10 }
    }

    /// How many mappings of anonymous shared memory a process has.
    static func sharedMappings(of process: Int32 = getpid()) -> Int {
        (FileSystem.lines(of: "/proc/\(process)/maps") ?? []).count { $0.contains("/memfd:") }
    }

    /// The names in a folder.
    static func entries(of path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }
}

/// What this process holds that workers could leave behind.
struct Holdings: Equatable {
    let children = Processes.children().count
    let descriptors = Processes.entries(of: "/proc/self/fd").count - 2 * Processes.symbolizers()
    let threads = Processes.entries(of: "/proc/self/task").count
    let sharedMappings = Processes.sharedMappings()

    /// Has one pool come and gone, since what the first one needs stays for all others, and counts.
    static func afterFirstPool() throws -> Holdings {
        do {
            let workers = PythonWorkers(.test())
            let _: Int = try workers.function("process", in: "hardships").blocking()
            workers.shutDownAndWait()
        }
        usleep(500_000)
        return Holdings()
    }

    /// Waits until there is no more than there was: what has ended is given back a moment later.
    func expectNothingSince() {
        #expect(
            eventually { self.isAtLeast(Holdings()) },
            "\(Holdings()) instead of \(self), children: \(Processes.children().map(Processes.description))")
    }

    /// Threads of Swift's own pool come and go.
    private func isAtLeast(_ other: Holdings) -> Bool {
        other.children <= children && other.descriptors <= descriptors && other.sharedMappings <= sharedMappings
            && other.threads <= threads + 2
    }
}

/// Whether something becomes true within some seconds.
func eventually(within seconds: Int = 5, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try condition() { return true }
        usleep(5000)
    }
    return try condition()
}

/// The error that a closure throws, in a line.
func message(_ body: () throws(WorkerError) -> Void) -> String? { failure(body).map { "\($0)" } }

/// The error that a closure throws, in a line.
func message(_ body: () async throws(WorkerError) -> Void) async -> String? { await failure(body).map { "\($0)" } }

/// The end of a worker that a closure throws.
func end(_ body: () throws(WorkerError) -> Void) throws -> WorkerEnd {
    let error = failure(body)
    guard case .ended(let end) = error else { throw Unexpected(what: "\(String(describing: error))") }
    return end
}

/// The exception of Python's that a closure throws.
func exception(_ body: () throws(WorkerError) -> Void) throws -> PythonException {
    let error = failure(body)
    guard case .python(.exception(let exception)) = error else {
        throw Unexpected(what: "\(String(describing: error))")
    }
    return exception
}

struct Unexpected: Error { let what: String }

let (tooLong, wasCancelled) = ("the call took longer than it had time", "the call was cancelled")

/// A file that is removed with its last reference.
final class TemporaryFile: Sendable {
    let path: String

    /// - Parameter text: What is in it; nil for no file yet.
    init(_ text: String? = nil, named name: String = "file", isExecutable: Bool = false) {
        path = Self.newPath(name)
        guard let text else { return }
        guard let file = unsafe fopen(path, "we") else { preconditionFailure("cannot write \(path)") }
        unsafe fputs(text, file)
        unsafe fclose(file)
        if isExecutable { _ = unsafe chmod(path, 0o755) }
    }

    deinit { _ = unsafe unlink(path) }

    /// A path that nothing has.
    static func newPath(_ name: String) -> String {
        "/tmp/python-workers-\(getpid())-\(UInt64.random(in: 0 ... .max))-\(name)"
    }
}
