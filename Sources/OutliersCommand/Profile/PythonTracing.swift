import PythonBridge
import PythonWorkers

/// What Python allocates, numpy's arrays included, from its start on, in this process or in a worker. Source: Python's `tracemalloc`.
struct PythonTracing: Sendable {
    private let traced: @Sendable () -> [Int]?
    private let resetPeak: @Sendable () -> Void

    init(in python: PythonInterpreter) throws(PythonError) {
        try python.function("start", in: "tracemalloc")()
        let traced = try python.function("get_traced_memory", in: "tracemalloc")
        let resetPeak = try python.function("reset_peak", in: "tracemalloc")
        self.traced = { try? traced() }
        self.resetPeak = { try? resetPeak() }
    }

    /// - Parameter pool: Of one worker.
    init(in pool: PythonWorkers) throws(WorkerError) {
        try pool.function("start", in: "tracemalloc").blocking()
        let traced = pool.function("get_traced_memory", in: "tracemalloc").blocking
        let resetPeak = pool.function("reset_peak", in: "tracemalloc").blocking
        self.traced = { try? traced() }
        self.resetPeak = { try? resetPeak() }
    }

    /// What is allocated, and the most that was since the last reading; nil when Python cannot tell.
    func read() -> EngineProfile.Traced? {
        guard let pair = traced(), pair.count == 2 else { return nil }
        resetPeak()
        return EngineProfile.Traced(current: pair[0], peak: pair[1])
    }
}
