import ArgumentParser
import Outliers
import PythonBridge

/// What takes part in a benchmark.
struct Contestant: Hashable, Sendable {
    /// An engine, or what engines are compared with.
    enum Kind: String, CaseIterable, Sendable, ExpressibleByArgument, LosslessStringConvertible {
        case embedded, copying, worker, subprocess, native
        case oneLiner = "one-liner"

        init?(_ text: String) { self.init(rawValue: text) }

        var description: String { rawValue }

        /// Whether it runs in this process's Python.
        var usesPython: Bool { engine?.usesPython ?? true }
        /// Whether its Python is a process of its own, and a crash ends that alone.
        var isIsolated: Bool { self == .worker || self == .subprocess }
        /// Whether a process of its own maps the samples, and uses them where they are.
        var mapsSamples: Bool { self == .worker }
        /// Whether it is compared with itself on several threads.
        var isThreaded: Bool { self == .embedded || self == .native }
        /// Whether each detection starts a process of its own.
        var startsProcesses: Bool { self == .subprocess }

        /// The engine; nil for the one-liner.
        var engine: OutlierDetector.Engine? { OutlierDetector.Engine(rawValue: rawValue) }
    }

    let kind: Kind
    /// At most; more than 1 for engines that can.
    let threads: Int

    var name: String { Self.name(kind.rawValue, threads: threads) }

    static func name(_ engine: String, threads: Int) -> String {
        engine + (threads > 1 ? ", \(threads) threads" : "")
    }

    /// Whether so many samples are enough for its threads. See `DetectionOptions.threads`.
    func takesPart(on samples: Int) -> Bool { threads == 1 || samples >= threads * 500_000 }

    /// What is measured.
    typealias Detect = (StridedView<Double>) throws(OutlierError) -> SharedBuffer<Int>

    /// Starts what it needs; a worker or a process is started by the first detection.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/unavailable``.
    func prepare(python: PythonOptions, threshold: Double) throws(Failure) -> Detect {
        guard let engine = kind.engine else {
            let oneLiner = try python.preparing("numpy") { () throws(OutlierError) in
                try OneLiner(python: python.configuration, threshold: threshold)
            }
            return { samples throws(OutlierError) in try oneLiner.detect(samples) }
        }
        let options: DetectionOptions
        do throws(OutlierError) {
            options = try DetectionOptions(threshold: threshold, threads: threads)
        } catch {
            throw Failure(error, input: name) { "sample \($0)" }
        }
        let detector = try python.detector(engine, options: options)
        return { samples throws(OutlierError) in try detector.detect(samples) }
    }
}
