public import ArgumentParser
public import Outliers
import PythonBridge

extension OutlierDetector.Engine: ExpressibleByArgument {}
extension DetectionOptions.NonFinite: ExpressibleByArgument {}

/// `outliers detect`: the outliers of a file.
struct DetectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect", abstract: "Find the outliers of a file or of standard input.")

    @Argument(help: "Files: .npy, .csv, .tsv, .json or .f64; '-' or nothing reads standard input.")
    var files: [String] = []

    @Option(help: "The format of all files, whatever their endings; otherwise the ending tells it.")
    var format: SampleFormat?

    @Option(help: "The column's name, or its number from 1; needed where there are several.")
    var column: String?

    @Option(parsing: .unconditional, help: "How many standard deviations from the mean an outlier is beyond.")
    var threshold: Double = 2

    @Option(help: "NaN, infinity and empty cells: an error, or left out.")
    var nan: DetectionOptions.NonFinite = .raise

    @Option(help: "What runs the detection: embedded, or worker with --workers.")
    var engine: OutlierDetector.Engine?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long the detection in a file may take; exit code 75.", valueName: "seconds"))
    var timeout: Double?

    @Option(
        parsing: .unconditional, help: "How many files are searched at a time, each in a process of its own.")
    var workers: Int?

    @Option(
        parsing: .unconditional,
        help: "On how many threads a detection runs at most; with --workers, in each of the processes.")
    var threads: Int = 1

    @Flag(help: "Print the whole result as JSON.")
    var json = false

    @Flag(help: "Print just the list of indices.")
    var indices = false

    @Option(help: ArgumentHelp("Write the indices as an int64 .npy.", valueName: "file.npy"))
    var output: String?

    @Option(help: ArgumentHelp("Draw the series, its outliers and the two bounds.", valueName: "file.png|file.svg"))
    var plot: String?

    @OptionGroup var python: PythonOptions

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout < 1e9) {
            throw ValidationError("--timeout takes seconds, more than 0")
        }
        if let workers, !(1...256).contains(workers) { throw ValidationError("--workers takes a number from 1 to 256") }
        if !(1...256).contains(threads) { throw ValidationError("--threads takes a number from 1 to 256") }
        if workers != nil, let engine, engine != .worker {
            throw ValidationError("--workers is for --engine worker, not \(engine.rawValue)")
        }
        if files.count > 1, output != nil || plot != nil {
            throw ValidationError("--output and --plot are for one file")
        }
        if files.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input can be read once") }
        if json && indices { throw ValidationError("--json and --indices exclude each other") }
        if let output, !output.hasSuffix(".npy") { throw ValidationError("--output takes a name that ends in .npy") }
        if let plot, ![".png", ".svg"].contains(where: plot.lowercased().hasSuffix) {
            throw ValidationError("--plot takes a name that ends in .png or .svg")
        }
        do {
            _ = try DetectionOptions(threshold: threshold)
        } catch {
            throw ValidationError("--threshold takes a finite number from 0 up")
        }
    }

    /// What runs the detection.
    private var chosenEngine: OutlierDetector.Engine { engine ?? (workers == nil ? .embedded : .worker) }

    func run() throws {
        let limit = timeout.map { Duration.seconds($0) }
        let engine = chosenEngine
        let workers = workers.map(Descriptors.workers)
        let detection = Detection(format: format, column: column, engine: engine, timeout: limit)
        let options = try DetectionOptions(threshold: threshold, nonFinite: nan, threads: threads)
        func detector() throws(Failure) -> OutlierDetector {
            try python.detector(engine, options: options, timeout: limit, workers: workers)
        }
        guard files.count > 1 else {
            return try detection.run(
                files.first ?? "-", detector: detector,
                progress: { samples, input in
                    let progress = Progress(
                        "searching \(input.name)", total: 2 * samples.series.count, unitSize: samples.series.pitch)
                    guard progress.isShown else { return nil }
                    return { progress.update($0, of: $1) }
                },
                report: { outcome, detector in try report(outcome.indices, of: outcome.series, by: detector) })
        }
        for file in files {
            do throws(Failure) {
                _ = try detection.format(of: file)
            } catch {
                if error.code == .usage { throw error }
            }
        }
        let many = ManyFiles(files: files, detection: detection, count: workers ?? 1) {
            [json, indices, threshold] file, outcome, detector in
            if indices { return DetectionReport.list(outcome.indices, file: file) }
            let report = DetectionReport(
                series: outcome.series, indices: outcome.indices, moments: try outcome.series.moments(by: detector),
                threshold: threshold, engine: engine)
            return json ? report.json(file: file) : Printout("\(file)\n\(report.table)\n")
        }
        try many.run(by: try Interrupt.python(isUsed: engine.usesPython, detector))
    }

    private func report(
        _ outliers: SharedBuffer<Int>, of series: any SampleSeries, by detector: OutlierDetector
    ) throws {
        // What is printed means that all of it worked; and the output may replace the input, so that it comes behind its readers.
        let picture = try plot.map(OutputFile.init)
        let list = try output.map(OutputFile.init)
        let text: Printout
        if indices && plot == nil {
            text = DetectionReport.list(outliers)
        } else {
            let moments = try Interrupt.python(isUsed: chosenEngine.usesPython) { () throws(OutlierError) in
                try series.moments(by: detector)
            }
            let report = DetectionReport(
                series: series, indices: outliers, moments: moments, threshold: threshold, engine: chosenEngine)
            text = json ? report.json() : indices ? DetectionReport.list(outliers) : Printout(report.table)
            if let picture {
                try Interrupt.python { () throws(Failure) in
                    try Plot(report, python: python.configuration).draw(to: picture)
                }
            }
        }
        if let list { try NumpyWriter.write(outliers, to: list) }
        Interrupt.check()
        for file in [picture, list] { try file?.commit() }
        try StandardOutput.write(text)
    }
}
