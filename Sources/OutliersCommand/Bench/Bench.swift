import Outliers
import PythonBridge

/// Measures contestants on the same samples: their times by turns in this process, their memory each in a process of its own.
final class Bench {
    let contestants: [Contestant]
    let sizes: [Int]
    /// For the times of all contestants and sizes.
    let seconds: Double
    let setup: BenchSetup

    private var ready: [Contestant: Contestant.Detect] = [:]
    private var unavailable: [BenchReport.Unavailable] = []
    private var progress: BenchProgress
    /// Contestants on all the sizes on which they take part.
    private let cells: Int

    init(contestants: [Contestant], sizes: [Int], seconds: Double, setup: BenchSetup) {
        self.contestants = contestants
        self.sizes = sizes
        self.seconds = seconds
        self.setup = setup
        cells = sizes.reduce(0) { cells, size in cells + contestants.count { $0.takesPart(on: size) } }
        progress = BenchProgress(total: 2 * cells)
    }

    /// - Throws: ``Failure``: ``Failure/Code/unavailable`` when nothing can run, ``Failure/Code/bug`` when two disagree.
    func run() throws(Failure) -> BenchReport {
        defer { TerminalLine.erase() }
        let start = ProcessorTime.now
        for contestant in contestants where sizes.contains(where: contestant.takesPart) {
            ready[contestant] = try attempt(contestant, samples: nil) { () throws(Failure) in
                try setup.prepare(contestant)
            }
        }
        var measured: [BenchReport.Size] = []
        for size in sizes { if let size = try measure(size) { measured.append(size) } }
        if measured.isEmpty, let first = unavailable.first { throw Failure(.unavailable, first.reason) }
        let usesPython = contestants.contains { $0.kind != .native }
        return BenchReport(
            system: BenchSystem(python: usesPython ? setup.python.configuration : nil, since: start),
            data: setup.data.rawValue, threshold: setup.threshold, sizes: measured, unavailable: unavailable)
    }

    /// - Returns: nil when nothing can run.
    private func measure(_ count: Int) throws(Failure) -> BenchReport.Size? {
        guard let (timed, outliers) = try times(on: count) else { return nil }
        var measurements: [BenchReport.Size.Measurement] = []
        for (contestant, times) in timed {
            progress.show("memory of \(contestant.name) on \(Amount.number(count)) samples")
            let memory = try attempt(contestant, samples: count) { () throws(Failure) in
                try DetectionMemory.measure(contestant, samples: count, setup)
            }
            progress.finish()
            guard let memory else { continue }
            measurements.append(.init(contestant: contestant, times: times, memory: memory))
        }
        return measurements.isEmpty ? nil : BenchReport.Size(samples: count, outliers: outliers, measurements)
    }

    // MARK: - Times

    /// Takes the times, and gives the samples back: the memory is measured in other processes, which have their own.
    ///
    /// - Returns: The times that count, and how many outliers there are; nil when nothing can run.
    private func times(
        on count: Int
    ) throws(Failure) -> (timed: [(contestant: Contestant, times: [Double])], outliers: Int)? {
        guard let (runs, outliers) = try firstRuns(on: count) else { return nil }
        return (try takeTurns(runs, count).map { ($0.contestant, $0.counted) }, outliers)
    }

    /// Has everybody take a first turn, and compares what they find.
    ///
    /// - Returns: The runs so far, and how many outliers there are; nil when nothing can run.
    private func firstRuns(on count: Int) throws(Failure) -> (runs: [TimedRuns], outliers: Int)? {
        let budget = seconds / Double(cells)
        var runs: [TimedRuns] = []
        var reference: (name: String, indices: SharedBuffer<Int>)?
        var samples = BenchSamples(count: count, setup: setup)
        for contestant in contestants where contestant.takesPart(on: count) {
            guard let detect = ready[contestant] else { continue }
            progress.show("\(contestant.name) on \(Amount.number(count)) samples")
            let first = try attempt(contestant, samples: count) { () throws(Failure) in
                var run = TimedRuns(contestant, detect, on: try samples.series(for: contestant.kind), budget: budget)
                return (found: try run.takeTurn(), run)
            }
            guard let (found, run) = first else { continue }
            runs.append(run)
            if let reference {
                try compare(found, of: contestant.name, with: reference.indices, of: reference.name, count)
            } else {
                reference = (contestant.name, found)
            }
        }
        return reference.map { (runs, $0.indices.count) }
    }

    private func compare(
        _ found: SharedBuffer<Int>, of name: String, with expected: SharedBuffer<Int>, of other: String, _ count: Int
    ) throws(Failure) {
        guard !found.elementsEqual(expected) else { return }
        let place = zip(found, expected).first { $0 != $1 }.map(min)
        let first = place ?? (found.count > expected.count ? found[expected.count] : expected[found.count])
        throw Failure(
            .bug,
            "\(name) and \(other) disagree on \(count) samples: they find \(found.count) and \(expected.count) outliers, "
                + "and sample \(first) is the first that only one of them finds")
    }

    /// Goes round until everybody is done, each time in another order.
    private func takeTurns(_ runs: [TimedRuns], _ count: Int) throws(Failure) -> [TimedRuns] {
        var runs = runs
        while true {
            let waiting = runs.indices.filter { !runs[$0].isDone }.shuffled()
            guard !waiting.isEmpty else { break }
            for index in waiting {
                progress.show("\(runs[index].contestant.name) on \(Amount.number(count)) samples")
                try runs[index].takeTurn()
                Interrupt.check()
                if runs[index].isDone { progress.finish() }
            }
        }
        return runs
    }

    // MARK: - What cannot run

    /// Does something for a contestant, which takes part no longer when it cannot run.
    private func attempt<R>(
        _ contestant: Contestant, samples: Int?, _ body: () throws(Failure) -> R
    ) throws(Failure) -> R? {
        do throws(Failure) {
            return try body()
        } catch {
            guard error.code == .unavailable else { throw error }
            Interrupt.check()
            ready[contestant] = nil
            unavailable.append(.init(engine: contestant.name, samples: samples, reason: error.message))
            return nil
        }
    }
}
