public import ArgumentParser
import Logging
public import Outliers
import PythonBridge

extension OutlierDetector.Engine: ExpressibleByArgument {}
extension DetectionOptions.NonFinite: ExpressibleByArgument {}

/// `outliers detect`: the outliers of a file.
struct DetectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect", abstract: "Find the outliers of a file or of standard input.")

    @Argument(help: "A .npy, .csv, .tsv, .json or .f64 file; '-' or nothing reads standard input.")
    var file: String = "-"

    @Option(help: "The format, where the ending does not tell it.")
    var format: SampleFormat?

    @Option(help: "The column's name, or its number from 1; needed where there are several.")
    var column: String?

    @Option(parsing: .unconditional, help: "How many standard deviations from the mean an outlier is beyond.")
    var threshold: Double = 2

    @Option(help: "NaN, infinity and empty cells: an error, or left out.")
    var nan: DetectionOptions.NonFinite = .raise

    @Option(help: "What runs the detection.")
    var engine: OutlierDetector.Engine = .embedded

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

    func run() throws {
        guard let format = format ?? SampleFormat(ending: file) else {
            let name = file == "-" ? "standard input" : "the ending of '\(file)'"
            throw Failure(.usage, "\(name) does not tell the format: give --format npy, csv, tsv, json or f64")
        }
        let input = try InputFile(file)
        let samples = try format.load(input, column: column)
        do {
            let options = try DetectionOptions(threshold: threshold, nonFinite: nan)
            let (detector, outliers) = try Interrupt.python(isUsed: engine.usesPython) {
                let detector = try python.detector(engine, options: options)
                let progress = Progress("searching \(input.name)", total: 2 * samples.series.count)
                return (detector, try samples.series.outliers(by: detector, progress: progress))
            }
            try report(outliers, of: samples.series, by: detector)
        } catch let error as OutlierError {
            log.debug("\(error)", metadata: error.traceback.map { ["traceback": "\($0)"] })
            throw Failure(error, input: input.name, position: samples.position)
        }
    }

    private func report(
        _ outliers: SharedBuffer<Int>, of series: any SampleSeries, by detector: OutlierDetector
    ) throws {
        // What is printed means that all of it worked; and the output may replace the input, so that it comes behind its readers.
        let picture = try plot.map(OutputFile.init)
        let list = try output.map(OutputFile.init)
        let text: String
        if indices && plot == nil {
            text = DetectionReport.list(outliers) + "\n"
        } else {
            let moments = try Interrupt.python(isUsed: engine.usesPython) { () throws(OutlierError) in
                try series.moments(by: detector)
            }
            let report = DetectionReport(
                series: series, indices: outliers, moments: moments, threshold: threshold, engine: engine)
            text = json ? report.json + "\n" : indices ? DetectionReport.list(outliers) + "\n" : report.table
            if let picture {
                try Interrupt.python { () throws(Failure) in
                    try Plot(report, python: python.configuration).draw(to: picture)
                }
            }
        }
        if let list { try NumpyWriter.write(outliers, to: list) }
        Interrupt.check()
        for file in [picture, list] { try file?.commit() }
        Interrupt.check()
        try StandardOutput.write(text)
    }
}

extension OutlierError {
    /// Python's traceback, where there is one.
    var traceback: String? {
        if case .python(.exception(let exception)) = self { return exception.traceback }
        return nil
    }
}
