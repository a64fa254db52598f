import Outliers
import PythonBridge

/// The one interpreter of the test process, and what code that nobody here wrote says of a series.
enum Reference {
    static let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }
    static let configuration = PythonConfiguration(searchPaths: [repository])

    /// One process for all tests.
    private static let workers = WorkerEngine(python: configuration)

    static func function(_ name: String) throws -> PythonFunction {
        try PythonInterpreter.start(configuration)
            .function(name, inScript: repository + "/Tests/Fixtures/reference.py")
    }

    static func series(seed: Int) throws -> [Double] {
        let series: PythonBuffer<Double> = try function("series")(seed)
        return Array(series)
    }

    static func detector(
        _ engine: OutlierDetector.Engine, threshold: Double = 2, nonFinite: DetectionOptions.NonFinite = .raise
    ) throws -> OutlierDetector {
        let options = try DetectionOptions(threshold: threshold, nonFinite: nonFinite)
        if engine == .worker { return OutlierDetector(engine: workers, options: options) }
        return try OutlierDetector(engine: engine, options: options, python: configuration)
    }
}
