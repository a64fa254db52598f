import Outliers
import PythonBridge
import PythonWorkers

/// Why the program stops: one line for people, and an exit code for scripts (sysexits.h).
struct Failure: Error {
    enum Code: Int32 {
        case usage = 64
        case badData = 65
        case noInput = 66
        case unavailable = 69
        case bug = 70
        case cannotWrite = 73
        case timedOut = 75
    }

    let code: Code
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        // Names and cells of files may have line breaks in them, and a failure is one line; and what a terminal would obey.
        let lines = message.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        self.message = lines.joined(separator: " ").unicodeScalars.reduce(into: "") { text, scalar in
            if scalar.properties.generalCategory == .control {
                text += scalar.escaped(asASCII: true)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Failure {
    /// What a detection on `input` failed of; `position` tells where in the input a sample is.
    init(_ error: OutlierError, input: String, position: (Int) -> String) {
        switch error {
        case .nonFiniteSample(let index, let value):
            let kind = value.isNaN ? "NaN (or empty)" : "infinite"
            self.init(.badData, "\(input): \(position(index)) is \(kind); --nan omit leaves such samples out")
        case .invalidThreshold:
            self.init(.usage, "--threshold takes a finite number from 0 up")
        case .invalidThreads:
            self.init(.usage, "--threads takes a number from 1 to 256")
        case .python(let error):
            self.init(error, input: input)
        case .script(let error):
            self.init(error, input: input)
        case .worker(let error):
            self.init(error, input: input)
        }
    }

    /// What a worker failed of.
    init(_ error: WorkerError, input: String) {
        switch error {
        case .python(let error): self.init(error, input: input)
        case .notStarted, .ended: self.init(.unavailable, "\(input): \(error); 'outliers doctor' tells more")
        case .cancelled, .deadlineExceeded: self.init(.timedOut, "\(input): \(error)")
        case .misbehaved, .shutDown: self.init(.bug, "\(input): \(error) (OUTLIERS_LOG_LEVEL=debug shows more)")
        }
    }

    /// What Python in a process of its own failed of.
    init(_ error: ScriptError, input: String) {
        switch (error.reason, error.ending) {
        case (.notFound, _), (.notLaunched, _), (.failed, .signalled):
            self.init(.unavailable, "\(input): \(error)")
        // Python's own status, for what pyoutliers needs; and pyoutliers' for no memory.
        case (.failed, .exited(1)), (.failed, .exited(Code.unavailable.rawValue)):
            self.init(.unavailable, "\(input): \(error); 'outliers doctor' tells more")
        case (.cancelled, _), (.timedOut, _):
            self.init(.timedOut, "\(input): \(error)")
        case (.failed, _), (.invalidInput, _), (.outputLimitExceeded, _), (.malformedReply, _):
            self.init(.bug, "\(input): \(error) (OUTLIERS_LOG_LEVEL=debug shows more)")
        }
    }

    /// What Python, or the memory it shares, failed of.
    init(_ error: PythonError, input: String) {
        switch error {
        case .environment(let reason), .interpreter(let reason):
            self.init(.unavailable, reason)
        case .exception(let exception) where exception.isImportFailure:
            self.init(.unavailable, "\(input): \(exception.summary); 'outliers doctor' tells more")
        case .notCallable, .notRunning:
            self.init(.unavailable, "\(input): \(error); 'outliers doctor' tells more")
        case .exception(let exception) where exception.type == "AttributeError":
            self.init(.unavailable, "\(input): \(exception.summary); 'outliers doctor' tells more")
        case .outOfMemory:
            self.init(.unavailable, "\(input): \(error)")
        case .exception(let exception) where exception.type == "MemoryError":
            self.init(.unavailable, "\(input): Python has no memory left")
        case .cancelled, .deadlineExceeded:
            self.init(.timedOut, "\(input): \(error)")
        case .exception, .escape, .conversion, .invalidBuffer, .file:
            self.init(.bug, "\(input): \("\(error)".firstLine) (OUTLIERS_LOG_LEVEL=debug shows more)")
        }
    }
}

extension PythonException {
    /// Whether a module is missing or cannot be loaded, here or in one of the causes.
    var isImportFailure: Bool {
        ["ImportError", "ModuleNotFoundError"].contains(type) || causes.contains(where: \.isImportFailure)
    }

    /// The type and the first line of the message.
    var summary: String { description.firstLine }
}

extension String {
    var firstLine: String { split(whereSeparator: \.isNewline).first.map(String.init) ?? "" }
}
