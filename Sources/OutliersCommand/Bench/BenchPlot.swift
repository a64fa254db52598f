import PythonBridge

/// A picture of a benchmark: `pyoutliers.benchmark.plot_benchmark`.
struct BenchPlot {
    /// As `--json` prints it.
    let report: String

    /// Draws to a file whose ending says PNG or SVG.
    ///
    /// - Throws: ``Failure``, as ``Picture`` does.
    func draw(to file: OutputFile, python configuration: PythonConfiguration) throws(Failure) {
        try Picture.draw("plot_benchmark", in: "pyoutliers.benchmark", to: file, python: configuration) {
            plot, path throws(PythonError) in
            try plot(report, path)
        }
    }
}
