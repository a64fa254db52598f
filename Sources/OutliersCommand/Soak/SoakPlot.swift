import PythonBridge

/// A picture of a soak: `pyoutliers.soaking.plot_soak`.
struct SoakPlot {
    private let report: SoakReport

    init(_ report: SoakReport) { self.report = report }

    /// Draws to a file whose ending says PNG or SVG.
    ///
    /// - Throws: ``Failure``, as ``Picture`` does.
    func draw(to file: OutputFile, python configuration: PythonConfiguration) throws(Failure) {
        try Picture.draw("plot_soak", in: "pyoutliers.soaking", to: file, python: configuration) {
            plot, path throws(PythonError) in
            let readings = report.record.readings + [report.record.end]
            let settled = report.record.settled
            let line: [[Double]] = [settled.first, settled.last].compactMap { reading in
                guard let reading, let trend = report.trend else { return nil }
                return [Double(reading.calls), trend.value(at: Double(reading.calls))]
            }
            let arguments: [any PythonConvertible] = [readings.map(\.calls), readings.map(\.resident), path]
            let trimmed = report.record.trimmed
            let keywords: PythonKeywords = [
                "line": line, "plateau": report.record.plateau?.resident,
                "trimmed": trimmed.map { [Double($0.calls), Double($0.resident)] },
                "title": "\(report.call): \(report.verdict.text)",
            ]
            let _: PythonObject = try plot.call(arguments, keywords: keywords)
        }
    }
}
