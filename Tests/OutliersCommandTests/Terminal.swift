import FoundationEssentials
import Testing

/// The program with a terminal, or signals: what `Tests/Fixtures/terminal.py` takes.
struct Terminal: Encodable {
    var command: [String]
    var terminal = false
    var columns: Int?
    var signals: [String]?
    var text: String?
    var file: String?
    var input: String?
    var times: Int?
    var ignored: [String]?
    var watcher: Bool?
    var directory: String?

    init(_ arguments: String...) { command = [Program.path] + arguments }

    struct End: Decodable {
        let status: Int32
        let output: String
        let error: String

        /// Expects that a signal ended the program: with one line, behind what a terminal showed, and nothing on standard output.
        func wasInterrupted(by signal: Int32, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(status == -signal, "\(error)", sourceLocation: sourceLocation)
            #expect(output == "", sourceLocation: sourceLocation)
            let lines = error.split(separator: Terminal.erased, omittingEmptySubsequences: false)
            #expect(lines.last == "outliers: interrupted\n", "\(error)", sourceLocation: sourceLocation)
            #expect(lines.dropLast().allSatisfy { $0.hasPrefix("\r") }, "\(error)", sourceLocation: sourceLocation)
        }
    }

    /// What erases the line that the cursor is in. Source: ECMA-48.
    static let erased = "\r\u{1B}[K"

    func run() async throws -> End {
        let options = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        let printed = try await python(
            "import runpy, sys; sys.argv[0:1] = []; runpy.run_path('\(Program.checkout)/Tests/Fixtures/terminal.py')",
            "terminal.py", options)
        return try JSONDecoder().decode(End.self, from: Data(printed.utf8))
    }
}
