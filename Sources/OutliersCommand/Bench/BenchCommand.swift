import ArgumentParser
import Outliers

/// `outliers bench`: which engine is how fast, and what it takes.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Compare the engines on the same samples: time, bytes copied, memory.",
        discussion: """
            Beside the engines runs numpy's one-liner, np.where(np.abs(x - x.mean()) > threshold * x.std())[0], over \
            shared memory, its result copied. The times are taken by turns in one process; the first third of each turn, \
            which warms up, is left out where a call is quick. Peak extra memory is measured in a fresh process for each: \
            how far resident memory rises at most during one detection, in this process and in that of the engine; all \
            must find the same outliers, or the exit code is 70.
            """)

    private static let allSizes = List([1000, 10_000, 100_000, 1_000_000, 10_000_000].map(SampleCount.init))
    private static let allEngines = List(Contestant.Kind.allCases)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many samples (default: \(Self.allSizes)).", valueName: "n,n,…"),
        transform: { try List($0, of: "numbers of samples from 1 up") })
    var sizes = Self.allSizes

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("What takes part (default: \(Self.allEngines)).", valueName: "engine,…"),
        transform: { try List($0, of: "some of \(Self.allEngines)") })
    var engines = Self.allEngines

    @Option(
        parsing: .unconditional,
        help: "How long times are measured in all; an engine that is slower still runs once. The memory comes on top.")
    var seconds: Double = 40

    @Option(parsing: .unconditional, help: "How many standard deviations from the mean an outlier is beyond.")
    var threshold: Double = 2

    @Option(
        parsing: .unconditional,
        help: "With so many threads embedded and native run once more, where there are samples enough for each.")
    var threads: Int = 2

    @Option(help: "Uniform samples with three outliers, or normal ones, of which 4.6 % are beyond two deviations.")
    var data: GeneratedSamples.Distribution = .uniform

    @Flag(help: "Print the whole result as JSON.")
    var json = false

    @Option(help: ArgumentHelp("Draw time and memory by size.", valueName: "file.png|file.svg"))
    var plot: String?

    @OptionGroup var python: PythonOptions

    func validate() throws {
        if !(seconds > 0 && seconds < 1e6) { throw ValidationError("--seconds takes seconds, more than 0") }
        if !(1...256).contains(threads) { throw ValidationError("--threads takes a number from 1 to 256") }
        if let plot { try Picture.check(plot) }
        do {
            _ = try DetectionOptions(threshold: threshold)
        } catch {
            throw ValidationError("--threshold takes a finite number from 0 up")
        }
    }

    /// An engine on several threads comes behind itself on one.
    private var contestants: [Contestant] {
        engines.values.flatMap { kind in
            let counts = kind.isThreaded && threads > 1 ? [1, threads] : [1]
            return counts.map { Contestant(kind: kind, threads: $0) }
        }
    }

    func run() throws {
        // What cannot be written or drawn is told before the work.
        let picture = try plot.map(OutputFile.init)
        if picture != nil {
            try Interrupt.python { () throws(Failure) in try Picture.requireMatplotlib(python: python.configuration) }
        }
        let bench = Bench(
            contestants: contestants, sizes: sizes.values.map(\.value).sorted(),
            seconds: seconds,
            setup: BenchSetup(data: data, threshold: threshold, python: python))
        let report = try bench.run()
        let line = try JSON.line(report)
        if let picture {
            try Interrupt.python { () throws(Failure) in
                try BenchPlot(report: line).draw(to: picture, python: python.configuration)
            }
            Interrupt.check()
            try picture.commit()
        }
        try StandardOutput.write(json ? line : report.text)
    }
}
