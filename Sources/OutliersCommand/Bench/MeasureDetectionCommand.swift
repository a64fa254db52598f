import ArgumentParser
import Outliers
import PythonBridge

/// `outliers measure-detection`: what `bench` runs in a fresh process, for the memory of one detection.
///
/// Before it, another detection in a thousand samples has imported all modules and started the worker, unless each starts a process anyway.
struct MeasureDetectionCommand: ParsableCommand {
    static let name = "measure-detection"
    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Measure the memory of one detection, for bench.", shouldDisplay: false)

    @Option var engine: Contestant.Kind
    @Option var threads: Int
    @Option var samples: Int
    @Option var data: GeneratedSamples.Distribution
    @Option var threshold: Double
    @OptionGroup var python: PythonOptions

    func run() throws {
        let setup = BenchSetup(data: data, threshold: threshold, python: python)
        let contestant = Contestant(kind: engine, threads: threads)
        var samples = BenchSamples(count: samples, setup: setup)
        let series = try samples.series(for: engine)
        let detect = try setup.prepare(contestant)
        do {
            let memory = try Interrupt.python(isUsed: engine.usesPython) {
                if !engine.startsProcesses {
                    var warmUp = BenchSamples(count: 1000, setup: setup)
                    _ = try detect(try warmUp.series(for: engine))
                }
                let (recording, rise) = try PeakMemory.rise(ofChildren: engine.isIsolated) {
                    try MemoryLedger.recording { try detect(series) }
                }
                return DetectionMemory(bytesCopied: recording.ledger.bytesCopied, peakExtraBytes: rise)
            }
            try StandardOutput.write(JSON.line(memory))
        } catch let error as OutlierError {
            throw Failure(error, input: contestant.name) { "sample \($0)" }
        }
    }
}
