import Glibc
import PythonBridge
import PythonWorkers
import Synchronization

/// The most memory that a piece of work takes beyond what was resident before it.
enum PeakMemory {
    /// Runs `body`, and tells by how much resident memory rose for it at most, in bytes.
    ///
    /// In this process all that is resident counts. Of its children counts all but shared memory, which is this process's too: for one that
    /// was there before, what it rose by; for one that `body` starts, all of it. The peaks are added, though they need not fall together.
    ///
    /// - Parameter ofChildren: Whether children count. They are looked at every two milliseconds, since nothing is known of one that has
    ///   ended; what one takes in its very last moment may be missed.
    /// - Returns: What `body` returned, and the rise; nil where the kernel does not tell.
    /// - Throws: What `body` throws.
    static func rise<R>(ofChildren: Bool, _ body: () throws -> R) throws -> (R, Int?) {
        let children = ofChildren ? try ChildrenPeaks() : nil
        guard ProcessMemory.resetPeak(), let start = ProcessMemory() else { return (try body(), nil) }
        let result = try body()
        let end = ProcessMemory()
        let ofChildren = children?.rise() ?? 0
        return (result, end.map { max(0, $0.peak - start.resident) + ofChildren })
    }
}

/// Watches how much memory the children of this process take.
private final class ChildrenPeaks: Sendable {
    private struct State {
        var starts: [Int32: Int] = [:]
        var peaks: [Int32: Int] = [:]
        var isOver = false

        /// Peaks only grow, but that of a child which has not become another program yet is this process's own: the latest counts.
        mutating func look() {
            for child in ProcessMemory.children {
                if let memory = ProcessMemory(of: child) { peaks[child] = memory.peak - memory.shared }
            }
        }
    }

    private let state = Monitor(State())
    private let thread: WorkerThreads

    init() throws(PythonError) {
        thread = try WorkerThreads(count: 1)
        state.withLock { state in
            for child in ProcessMemory.children {
                guard ProcessMemory.resetPeak(of: child), let memory = ProcessMemory(of: child) else { continue }
                state.starts[child] = memory.resident - memory.shared
            }
        }
        let state = state
        thread.add {
            while state.withLock({ state in
                if !state.isOver { state.look() }
                return !state.isOver
            }) { usleep(2000) }
        }
    }

    deinit { state.withLock { $0.isOver = true } }

    /// The sum over the children.
    func rise() -> Int {
        state.withLock { state in
            state.look()
            return state.peaks.reduce(0) { $0 + max(0, $1.value - state.starts[$1.key, default: 0]) }
        }
    }
}
