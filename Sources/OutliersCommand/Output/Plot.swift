import Outliers
import PythonBridge

/// A picture of a detection, drawn by matplotlib in this process over the same memory: `pyoutliers.plot`.
struct Plot {
    private let report: DetectionReport
    private let configuration: PythonConfiguration

    init(_ report: DetectionReport, python configuration: PythonConfiguration) {
        self.report = report
        self.configuration = configuration
    }

    /// Draws to a file whose ending says PNG or SVG.
    ///
    /// - Throws: ``Failure``; ``Failure/Code/unavailable`` says how to get matplotlib when it is missing.
    func draw(to file: OutputFile) throws(Failure) {
        do throws(PythonError) {
            let python = try PythonInterpreter.start(configuration)
            let plot = try python.function("plot", in: "pyoutliers")
            let arguments: [any PythonConvertible] = [report.series.shared, report.indices, file.path]
            let keywords: PythonKeywords = [
                "mean": report.moments.mean, "standard_deviation": report.moments.standardDeviation,
                "threshold": report.threshold,
            ]
            let _: PythonObject = try plot.call(arguments, keywords: keywords)
        } catch {
            throw failure(error, path: file.name)
        }
    }

    private func failure(_ error: PythonError, path: String) -> Failure {
        guard case .exception(let exception) = error else { return Failure(error, input: path) }
        if exception.isImportFailure, exception.message.contains("matplotlib") {
            let location = try? configuration.environment.locate()
            let executable = location?.executable ?? "python\(PythonVersion.linked)"
            return Failure(.unavailable, "--plot needs matplotlib: '\(executable)' -m pip install matplotlib")
        }
        let systemErrors = [
            "FileNotFoundError", "PermissionError", "IsADirectoryError", "NotADirectoryError", "OSError",
        ]
        return systemErrors.contains(exception.type)
            ? Failure(.cannotWrite, "\(path): \(exception.message.firstLine)") : Failure(error, input: path)
    }
}
