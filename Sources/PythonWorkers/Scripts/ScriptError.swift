/// Why a script gave no result. Its description is one line.
public struct ScriptError: Error, Sendable, Hashable {
    /// What went wrong.
    public enum Reason: Sendable, Hashable {
        /// The python, the script or the working directory is not there; nothing was started.
        case notFound(String)
        /// An argument or the request cannot be passed on; nothing was started.
        case invalidInput(String)
        /// The system could not start the process.
        case notLaunched(String)
        /// The script ended with a status other than 0, or by a signal.
        case failed
        /// It took longer than it may, and was ended.
        case timedOut(Duration)
        /// The task was cancelled, and the script ended.
        case cancelled
        /// It wrote more than this many bytes, and was ended.
        case outputLimitExceeded(Int)
        /// What it wrote is not the reply that was asked for.
        case malformedReply(String)
    }

    /// The script: its file, its module, or `-c`.
    public let script: String
    /// What went wrong.
    public let reason: Reason
    /// How the process ended; nil when there was none.
    public let ending: ProcessEnding?
    /// What the script wrote until then.
    public let output: ScriptOutput
}

extension ScriptError: CustomStringConvertible {
    /// One line: the script, what went wrong, and the last line of standard error.
    public var description: String {
        let what =
            switch reason {
            case .notFound(let what), .invalidInput(let what), .notLaunched(let what): what
            case .failed: ending.map { "\($0)" } ?? "failed"
            case .timedOut(let limit): "not finished after \(limit)"
            case .cancelled: "cancelled"
            case .outputLimitExceeded(let limit): "wrote more than \(limit) bytes"
            case .malformedReply(let what): "malformed reply: \(what)"
            }
        let parts = [script, what] + (output.lastWords.map { [$0] } ?? [])
        return parts.joined(separator: ": ").split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
