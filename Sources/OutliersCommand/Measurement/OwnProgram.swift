import Logging
import PythonWorkers

/// This program again, in a process of its own, for one measurement: it prints what it measured as JSON.
enum OwnProgram {
    /// Runs the program, and blocks the thread until it has ended. Ctrl-C ends it too, with what it has started.
    ///
    /// - Parameters:
    ///   - arguments: A subcommand and its options.
    ///   - timeout: How long it may take.
    /// - Throws: ``Failure``: that which the process ended with, the same code and words.
    static func run<Reply: Decodable>(_ arguments: [String], timeout: Duration? = nil) throws(Failure) -> Reply {
        // Also where the file has been replaced since.
        let program = PythonScript.program("/proc/self/exe", name: "outliers \(arguments.first ?? "")")
        do throws(ScriptError) {
            return try program.reply(try program.runAndWait(arguments: arguments, timeout: timeout))
        } catch {
            throw failure(error)
        }
    }

    private static func failure(_ error: ScriptError) -> Failure {
        log.debug("\(error)", metadata: ["standard error": "\(error.output.standardError)"])
        let prefix = "outliers: "
        if case .exited(let status) = error.ending, let code = Failure.Code(rawValue: status),
            let line = error.output.standardError.split(whereSeparator: \.isNewline).last, line.hasPrefix(prefix)
        {
            return Failure(code, String(line.dropFirst(prefix.count)))
        }
        return Failure(error, input: "a process for the measurement")
    }
}
