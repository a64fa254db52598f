import Glibc
import Logging
import Outliers
import PythonBridge
import PythonWorkers

/// The detection of one file, from its bytes to its outliers.
struct Detection: Sendable {
    let format: SampleFormat?
    let column: String?
    let engine: OutlierDetector.Engine
    /// How long the detection may take.
    let timeout: Duration?

    /// What was found.
    struct Outcome {
        let series: any SampleSeries
        let indices: SharedBuffer<Int>
        let position: (Int) -> String
    }

    /// The format of a file.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/usage`` when nothing tells it, ``Failure/Code/noInput`` when it is a directory.
    func format(of file: String) throws(Failure) -> SampleFormat {
        if let format = format ?? SampleFormat(ending: file) { return format }
        guard !InputFile.isDirectory(file) else { throw Failure(.noInput, "\(file): \(SystemError.message(EISDIR))") }
        let name = file == "-" ? "standard input" : "the ending of '\(file)'"
        throw Failure(.usage, "\(name) does not tell the format: give --format npy, csv, tsv, json or f64")
    }

    /// Reads a file and finds its outliers.
    ///
    /// - Parameters:
    ///   - detector: Made when the samples have been read.
    ///   - report: Is called with the outcome, if there is one; what it throws about the samples is told as what the detection throws is.
    ///   - progress: Is told how far the detection is.
    /// - Throws: ``Failure``.
    func run<R>(
        _ file: String, detector: () throws -> OutlierDetector,
        progress: (LoadedSamples, InputFile) -> DetectionProgress?,
        report: (Outcome, OutlierDetector) throws -> R
    ) throws -> R {
        let format = try format(of: file)
        let input = try InputFile(file)
        let samples = try format.load(input, column: column)
        do {
            let (detector, indices) = try Interrupt.python(isUsed: engine.usesPython) {
                let detector = try detector()
                let progress = releasing(samples.series, limited(progress(samples, input), input))
                return (detector, try samples.series.outliers(by: detector, progress: progress))
            }
            return try report(
                Outcome(series: samples.series, indices: indices, position: samples.position), detector)
        } catch let error as OutlierError {
            log.debug("\(error)", metadata: error.traceback.map { ["traceback": "\($0)"] })
            if let timeout, error.isTimedOut { throw Self.timedOut(input, timeout) }
            throw Failure(error, input: input.name, position: samples.position)
        }
    }

    /// A progress that ends a detection in this process when its time is over: a process of its own is ended at any moment, this one's
    /// engines when they tell how far they are.
    private func limited(_ progress: DetectionProgress?, _ input: InputFile) -> DetectionProgress? {
        guard let timeout, ![.worker, .subprocess].contains(engine) else { return progress }
        let deadline = Deadline(after: timeout)
        return { done, total in
            guard !deadline.hasPassed else { throw Self.timedOut(input, timeout) }
            try progress?(done, total)
        }
    }

    /// A progress that gives back what has been searched of a file that is larger than memory.
    private func releasing(_ series: any SampleSeries, _ progress: DetectionProgress?) -> DetectionProgress? {
        let trail = Trail(count: series.count, pitch: series.pitch, evict: series.evict)
        guard trail.isNeeded else { return progress }
        return { done, total in
            trail.update(done % series.count)
            try progress?(done, total)
        }
    }

    private static func timedOut(_ input: InputFile, _ timeout: Duration) -> Failure {
        Failure(.timedOut, "\(input.name): the detection took longer than \(timeout)")
    }
}

extension OutlierError {
    /// Whether a worker or a script was ended since its time was over. The time that a script names is its own, without what came
    /// before it.
    fileprivate var isTimedOut: Bool {
        switch self {
        case .worker(.deadlineExceeded): true
        case .script(let error): if case .timedOut = error.reason { true } else { false }
        default: false
        }
    }

    /// Python's traceback, where there is one; of a process of its own, what it wrote to standard error.
    var traceback: String? {
        switch self {
        case .python(.exception(let exception)), .worker(.python(.exception(let exception))): exception.traceback
        case .script(let error): error.output.standardError
        case .worker(.ended(let end)): end.standardErrorTail.joined(separator: "\n")
        default: nil
        }
    }
}
