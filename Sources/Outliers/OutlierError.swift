public import PythonBridge
public import PythonWorkers

/// Why a detection failed.
public enum OutlierError: Error, Sendable {
    /// The sample at `index`, counted from 0, is NaN or infinite.
    case nonFiniteSample(index: Int, value: Double)
    /// The threshold is negative or not finite.
    case invalidThreshold(Double)
    /// There is no thread to run on.
    case invalidThreads(Int)
    /// Python, or the memory it shares, failed.
    case python(PythonError)
    /// Python in a process of its own failed.
    case script(ScriptError)
    /// A worker, or its call, failed.
    case worker(WorkerError)
}

extension OutlierError: CustomStringConvertible {
    /// One line that says what is wrong.
    public var description: String {
        switch self {
        case .nonFiniteSample(let index, let value):
            "sample \(index) is \(value.isNaN ? "NaN" : value > 0 ? "infinity" : "-infinity")"
        case .invalidThreshold(let threshold): "the threshold \(threshold) is not a finite number from 0 up"
        case .invalidThreads(let threads): "\(threads) threads are no number from 1 up"
        case .python(let error): "\(error)"
        case .script(let error): "\(error)"
        case .worker(let error): "\(error)"
        }
    }
}
