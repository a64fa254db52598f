import Glibc
import PythonBridge
import PythonWorkers
import Synchronization

/// Reads memory every few milliseconds, on a thread of its own that needs no Python, until it is stopped.
final class MemorySampler: Sendable {
    /// Between two readings, at first.
    private static let distance = 0.002

    private struct State {
        var readings = ThinnedReadings(distance: MemorySampler.distance, filler: MemoryReading(seconds: 0))
        var isStopped = false
        /// In the phase that is on: the most of all processes that no file has, and of the children that is resident.
        var own = 0
        var child = 0
    }

    private let state = Mutex(State())
    private let thread: WorkerThreads
    private let began = ContinuousClock.now

    /// - Throws: `PythonError` when there can be no further thread.
    init() throws(PythonError) {
        thread = try WorkerThreads(count: 1)
        thread.add { [weak self] in
            while let pause = self?.sample() { usleep(pause) }
        }
    }

    /// Since the sampler was made.
    var seconds: Double { (ContinuousClock.now - began) / .seconds(1) }

    /// A reading in between, of this moment.
    func read() -> MemoryReading {
        let reading = MemoryReading(seconds: seconds)
        state.withLock { Self.add(reading, to: &$0) }
        return reading
    }

    /// Begins a phase, with peaks of its own.
    func beginPhase() {
        for process in [nil] + ProcessMemory.children.map(Optional.some) { _ = ProcessMemory.resetPeak(of: process) }
        state.withLock { state in
            state.own = 0
            state.child = 0
        }
        _ = read()
    }

    /// The most that was read since the phase began: of all processes' memory that no file has, and of what the children have
    /// resident.
    var peaks: (own: Int, child: Int) { state.withLock { ($0.own, $0.child) } }

    /// Ends the thread.
    ///
    /// - Returns: The readings.
    func stop() -> [MemoryReading] {
        state.withLock { state in
            state.isStopped = true
            return state.readings.readings
        }
    }

    /// - Returns: How many microseconds are to the next reading; nil when there is to be none.
    private func sample() -> UInt32? {
        let start = seconds
        guard state.withLock({ !$0.isStopped }) else { return nil }
        let reading = MemoryReading(seconds: start)
        state.withLock { state in
            if !state.isStopped { Self.add(reading, to: &state) }
        }
        // Walking the pages of a large process takes a while, in which it cannot get new ones.
        return UInt32(max(Self.distance, 4 * (seconds - start)) * 1e6)
    }

    private static func add(_ reading: MemoryReading, to state: inout State) {
        state.own = max(state.own, reading.own)
        state.child = max(state.child, reading.child?.all ?? 0, reading.child?.peak ?? 0)
        if state.readings.isDue(at: reading.seconds) { state.readings.append(reading, at: reading.seconds) }
    }
}
