import ArgumentParser
import Outliers
import PythonBridge

/// The detection that is measured: its samples, and what counts as an outlier.
struct MeasurementOptions: ParsableArguments {
    @Argument(help: "A file as detect takes; otherwise the samples are generated.")
    var file: String?

    @Option(help: "The format of the file, whatever its ending.")
    var format: SampleFormat?

    @Option(help: "The column's name, or its number from 1.")
    var column: String?

    @Option(parsing: .unconditional, help: "How many samples are generated (soak: 1000, profile: 2 million).")
    var samples: Int?

    @Option(parsing: .unconditional, help: "How many standard deviations from the mean an outlier is beyond.")
    var threshold: Double = 2

    @Option(help: "NaN, infinity and empty cells: an error, or left out.")
    var nan: DetectionOptions.NonFinite = .raise

    @Option(parsing: .unconditional, help: "On how many threads a detection runs at most.")
    var threads: Int = 1

    @OptionGroup var python: PythonOptions

    private static let defaultCount = 1000

    func validate() throws {
        if let samples, !(1...1 << 40).contains(samples) {
            throw ValidationError("--samples takes a number from 1 up")
        }
        if !(1...256).contains(threads) { throw ValidationError("--threads takes a number from 1 to 256") }
        if file != nil && samples != nil { throw ValidationError("a file and --samples exclude each other") }
        if file == nil && (format != nil || column != nil) {
            throw ValidationError("--format and --column are for a file")
        }
        do {
            _ = try options
        } catch {
            throw ValidationError("--threshold takes a finite number from 0 up")
        }
    }

    /// What counts as an outlier.
    var options: DetectionOptions {
        get throws(OutlierError) { try DetectionOptions(threshold: threshold, nonFinite: nan, threads: threads) }
    }

    /// Reads the samples, or generates them.
    ///
    /// - Parameter engine: Samples that another process is to map are generated in memory that it can.
    func input(for engine: OutlierDetector.Engine) throws(Failure) -> MeasurementInput {
        guard let file else {
            do throws(PythonError) {
                let series = try GeneratedSamples.make(count: samples ?? Self.defaultCount, isShared: engine == .worker)
                return MeasurementInput(
                    name: "generated samples", samples: LoadedSamples(series: series) { "sample \($0)" })
            } catch {
                throw Failure(error, input: "generated samples")
            }
        }
        let detection = Detection(format: format, column: column, engine: engine, timeout: nil)
        let format = try detection.format(of: file)
        let input = try InputFile(file)
        return MeasurementInput(name: input.name, samples: try format.load(input, column: column))
    }

    /// The same, with so many samples where nothing else was asked for.
    func generating(_ count: Int) -> MeasurementOptions {
        var options = self
        if file == nil { options.samples = samples ?? count }
        return options
    }

    /// The same options for this program in a process of its own.
    var arguments: [String] {
        var arguments = ["--threshold=\(threshold)", "--nan=\(nan.rawValue)", "--threads=\(threads)"]
        if let format { arguments.append("--format=\(format.rawValue)") }
        if let column { arguments.append("--column=\(column)") }
        if let directory = python.pythonEnv { arguments.append("--python-env=\(directory)") }
        // A name may begin with a dash.
        return arguments + (file.map { ["--", $0] } ?? ["--samples=\(samples ?? Self.defaultCount)"])
    }
}

/// The samples, and what they are called in messages.
struct MeasurementInput {
    let name: String
    let samples: LoadedSamples
}
