import Outliers
import PythonBridge
import PythonWorkers

/// Detections in several files, some at a time. One that fails does not stop the others.
struct ManyFiles {
    let files: [String]
    let detection: Detection
    /// How many at a time.
    let count: Int
    /// What is printed of a file.
    let text: @Sendable (_ file: String, Detection.Outcome, OutlierDetector) throws -> Printout

    private struct State {
        /// The first file that nobody has taken yet.
        var next = 0
        var texts: [Int: Result<Printout, any Error>] = [:]
        /// How far each detection is: 1 at the end.
        var fractions: [Double]
    }

    /// Units of progress for each file.
    private static let units = 10_000_000.0

    /// Runs the detections, and prints what each finds, in the order of the files.
    ///
    /// - Throws: ``Failure``, once all is done, when one of them failed; each has been told by then.
    func run(by detector: OutlierDetector) throws {
        let state = Monitor(State(fractions: [Double](repeating: 0, count: files.count)))
        let progress = Progress("searching \(files.count) files", total: files.count * Int(Self.units))
        let threads = try WorkerThreads(count: min(count, files.count))
        for _ in 0..<min(count, files.count) {
            threads.add { [self] in
                while let index = state.withLock({ Self.take(&$0, of: files.count) }) {
                    let text = Result { try run(index, detector, state, progress) }
                    state.change { state in
                        state.texts[index] = text
                        state.fractions[index] = 1
                    }
                }
            }
        }
        var failures: [Failure] = []
        for index in files.indices {
            guard let text = state.wait({ $0.texts.removeValue(forKey: index) }) else { break }
            let done = state.withLock { $0.fractions.reduce(0, +) }
            Interrupt.check()
            TerminalLine.erase()
            do {
                try StandardOutput.write(try text.get())
            } catch {
                guard let failure = error as? Failure, failure.code != .cannotWrite else { throw error }
                StandardError.write("outliers: \(failure.message)\n")
                failures.append(failure)
            }
            progress.update(Int(done * Self.units))
        }
        guard let first = failures.first else { return }
        throw Failure(first.code, "\(failures.count) of \(files.count) files failed")
    }

    private static func take(_ state: inout State, of count: Int) -> Int? {
        guard state.next < count else { return nil }
        defer { state.next += 1 }
        return state.next
    }

    private func run(
        _ index: Int, _ detector: OutlierDetector, _ state: Monitor<State>, _ progress: Progress
    ) throws -> Printout {
        var update: DetectionProgress?
        if progress.isShown {
            update = { done, total in
                let sum = state.withLock { state in
                    state.fractions[index] = Double(done) / Double(max(total, 1))
                    return state.fractions.reduce(0, +)
                }
                progress.update(Int(sum * Self.units))
            }
        }
        return try detection.run(
            files[index], detector: { detector }, progress: { _, _ in update },
            report: { outcome, detector in try text(files[index], outcome, detector) })
    }
}
