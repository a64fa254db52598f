import Glibc
import Outliers
import PythonBridge
import PythonWorkers

/// One detection, from the start of its engine to the release of its result, in phases.
struct ProfiledDetection {
    private typealias Name = EngineProfile.PhaseName

    let engine: OutlierDetector.Engine
    let measurement: MeasurementOptions
    /// Whether Python's allocations are traced, from before numpy is imported; that takes memory and time by itself.
    let isTraced: Bool

    private struct Outcome {
        let input: MeasurementInput
        let indices: SharedBuffer<Int>
        let ledger: MemoryLedger
    }

    /// - Throws: ``Failure``.
    func run() throws -> EngineProfile {
        let recorder: PhaseRecorder
        let detector: OutlierDetector
        do {
            recorder = PhaseRecorder(sampler: try MemorySampler())
            detector = try self.detector(recorder)
        } catch let error as PythonError {
            throw Failure(error, input: "pyoutliers")
        } catch let error as WorkerError {
            throw Failure(error, input: "pyoutliers")
        }
        var outcome: Outcome? = try detect(detector, recorder)
        let samples = outcome?.input.samples.series.count ?? 0
        let outliers = outcome?.indices.count ?? 0
        let ledger = outcome?.ledger
        recorder.phase(Name.release) {
            outcome = nil
            // The end of its process gives the text for it back, on a thread of its own.
            if engine == .subprocess { wait(untilOwnIs: recorder.phases.last { $0.name == Name.samples }?.memory.own) }
        }
        return EngineProfile(
            engine: engine.rawValue, samples: samples, outliers: outliers, bytesCopied: ledger?.bytesCopied ?? 0,
            bytesShared: ledger?.bytesShared ?? 0, phases: recorder.phases, readings: recorder.finish())
    }

    /// Waits until there is no more memory that no file has, but for a mebibyte, for a second at most.
    private func wait(untilOwnIs own: Int?) {
        for _ in 0..<100 where MemoryReading(seconds: 0).own > (own ?? 0) + 1 << 20 { usleep(10_000) }
    }

    /// Starts what the engine needs.
    private func detector(_ recorder: PhaseRecorder) throws -> OutlierDetector {
        let options = try measurement.options
        let python = measurement.python
        switch engine {
        case .embedded, .copying:
            try recorder.phase(Name.python) {
                let interpreter = try PythonInterpreter.start(python.configuration)
                if isTraced { recorder.trace(try PythonTracing(in: interpreter)) }
            }
            return try recorder.phase(Name.numpy) { try python.detector(engine, options: options) }
        case .worker:
            let pool = python.pool(count: 1)
            try recorder.phase(Name.python) {
                // The first call starts the process.
                let _: Int = try pool.function("getallocatedblocks", in: "sys").blocking()
                if isTraced { recorder.trace(try PythonTracing(in: pool)) }
            }
            // Any function of the package imports numpy.
            let _: [Int] = try recorder.phase(Name.numpy) {
                try pool.function("allocated", in: "pyoutliers._memory").blocking()
            }
            return OutlierDetector(engine: WorkerEngine(workers: pool), options: options)
        case .subprocess, .native:
            return try python.detector(engine, options: options)
        }
    }

    /// Loads the samples and searches them.
    private func detect(_ detector: OutlierDetector, _ recorder: PhaseRecorder) throws -> Outcome {
        let input = try recorder.phase(Name.samples) { try measurement.input(for: engine) }
        do {
            let (indices, ledger) = try MemoryLedger.recording {
                guard engine != .subprocess else {
                    return try recorder.phase(Name.detection) {
                        try input.samples.series.outliers(by: detector, progress: nil)
                    }
                }
                return try recorder.phase(Name.firstPass) {
                    try input.samples.series.outliers(by: detector) { done, total in
                        // Told of no end of the first pass, both are one.
                        if 2 * done >= total, done < total {
                            recorder.change(from: Name.firstPass, to: Name.secondPass)
                        }
                    }
                }
            }
            recorder.mergePasses()
            return Outcome(input: input, indices: indices, ledger: ledger)
        } catch let error as OutlierError {
            throw Failure(error, input: input.name, position: input.samples.position)
        }
    }
}
