public import PythonBridge

/// Why a call to a worker failed. It costs the call alone: the pool replaces a worker that has ended.
public indirect enum WorkerError: Error, Sendable {
    /// What the same call in this process throws: an exception with its traceback, a view that was kept, a result of another type, no memory.
    case python(PythonError)
    /// The worker ended during the call.
    case ended(WorkerEnd)
    /// The worker sent what no worker sends, and was ended.
    case misbehaved(String)
    /// No worker could be started.
    case notStarted(String)
    /// The time that the call had is over. A worker that ran it was ended.
    case deadlineExceeded
    /// The task was cancelled. A worker that ran the call was ended.
    case cancelled
    /// The pool was shut down.
    case shutDown
}

/// How a worker ended.
public struct WorkerEnd: Sendable, Hashable {
    /// By itself or by a signal; nil when nobody knows.
    public let status: ProcessEnding?
    /// How Python names what crashed it. Source: `faulthandler`.
    static let crash = "Fatal Python error"
    /// The last lines that it wrote to standard error, the last one last.
    public let standardErrorTail: [String]
}

extension WorkerError: CustomStringConvertible {
    /// One line that says what is wrong.
    public var description: String {
        switch self {
        case .python(let error): "\(error)"
        case .ended(let end): "\(end)"
        case .misbehaved(let reason): "the worker sent what no worker sends: \(reason)"
        case .notStarted(let reason): "no worker could be started: \(reason)"
        case .deadlineExceeded: "the call took longer than it had time"
        case .cancelled: "the call was cancelled"
        case .shutDown: "the workers were shut down"
        }
    }
}

extension WorkerEnd: CustomStringConvertible {
    /// How it ended, and what it said of that: Python's own word of a crash, else the last line of standard error.
    public var description: String {
        let crash = standardErrorTail.last { $0.hasPrefix(Self.crash) }
        let words = crash ?? standardErrorTail.last { !$0.allSatisfy(\.isWhitespace) }
        return "the worker \(status.map { "\($0)" } ?? "ended")" + (words.map { ": \($0)" } ?? "")
    }
}
