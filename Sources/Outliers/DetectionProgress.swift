import PythonBridge

/// Is told how far a detection is: how many samples have been gone through, over all passes, and how many that will be.
///
/// It is called about once per million samples, on any thread but by one at a time. `done` ascends, and is `total` in the last call, when all is
/// done; `total` grows when a further pass turns out to be needed. An error that it throws ends the detection.
public typealias DetectionProgress = @Sendable (_ done: Int, _ total: Int) throws -> Void

/// Runs a detection that tells its progress, and throws what that threw as the value that it is.
///
/// - Parameters:
///   - progress: The user's.
///   - body: The detection, with what to call instead. The error that this throws ends it.
func reporting<R>(
    to progress: @escaping DetectionProgress,
    _ body: (@escaping @Sendable (_ done: Int, _ total: Int) throws(OutlierError) -> Void) throws(OutlierError) -> R
) throws -> R {
    let failure = Failure()
    do throws(OutlierError) {
        return try body { done, total throws(OutlierError) in
            do {
                try progress(done, total)
            } catch {
                failure.error.withLock { $0 = error }
                throw .python(.cancelled)
            }
        }
    } catch {
        throw failure.error.withLock { $0 } ?? error
    }
}

/// The same for a detection in Python, which is told the options and what to call.
func reporting<R>(
    to progress: @escaping DetectionProgress, options: DetectionOptions,
    _ body: (_ keywords: PythonKeywords) throws(OutlierError) -> R
) throws -> R {
    try reporting(to: progress) { progress throws(OutlierError) in
        try body(options.keywords(progress: PythonCallback(progress)))
    }
}

/// What a progress threw.
private final class Failure: Sendable {
    let error = Lock<(any Error)?>(nil)
}

/// The progress of passes in Swift.
struct ProgressCount {
    /// Samples between two calls.
    private static let step = 1 << 20

    private let progress: (Int, Int) throws(OutlierError) -> Void
    private let total: Int
    private var done = 0
    private var next = step

    init(_ progress: @escaping (Int, Int) throws(OutlierError) -> Void, total: Int) {
        self.progress = progress
        self.total = total
    }

    /// Counts samples that have been gone through.
    mutating func add(_ count: Int) throws(OutlierError) {
        done += count
        guard done >= next, done < total else { return }
        next = done + Self.step
        try progress(done, total)
    }

    /// Tells that all is done.
    func finish() throws(OutlierError) { try progress(total, total) }
}
