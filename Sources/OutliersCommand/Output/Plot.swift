import Outliers
import PythonBridge

/// A picture of a detection, drawn over the same memory: `pyoutliers.plot`.
struct Plot {
    private let report: DetectionReport
    private let configuration: PythonConfiguration

    init(_ report: DetectionReport, python configuration: PythonConfiguration) {
        self.report = report
        self.configuration = configuration
    }

    /// Draws to a file whose ending says PNG or SVG.
    ///
    /// - Throws: ``Failure``, as ``Picture`` does.
    func draw(to file: OutputFile) throws(Failure) {
        try Picture.draw("plot", in: "pyoutliers", to: file, python: configuration) { plot, path throws(PythonError) in
            let arguments: [any PythonConvertible] = [report.series.shared, report.indices, path]
            let keywords: PythonKeywords = [
                "mean": report.moments.mean, "standard_deviation": report.moments.standardDeviation,
                "threshold": report.threshold,
            ]
            let _: PythonObject = try plot.call(arguments, keywords: keywords)
        }
    }
}
