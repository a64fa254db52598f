import ArgumentParser
import Glibc
import Logging
import Outliers
import PythonBridge

/// Which Python the command uses.
struct PythonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The virtual environment with numpy.",
            discussion: "Otherwise VIRTUAL_ENV, the nearest .venv upwards from here or from the program, the system's.",
            valueName: "dir"))
    var pythonEnv: String?

    /// The environment, with `pyoutliers` from the program's own surroundings if it is there.
    var configuration: PythonConfiguration {
        PythonConfiguration(
            environment: pythonEnv.map(PythonEnvironment.virtualEnvironment) ?? .automatic,
            searchPaths: Self.packageDirectory.map { [$0] } ?? [])
    }

    /// A detector, where everything that it needs can be used.
    ///
    /// - Throws: ``Failure``: whatever Python raises this early is about the packages, not about the samples.
    func detector(
        _ engine: OutlierDetector.Engine, options: DetectionOptions = .standard
    ) throws(Failure) -> OutlierDetector {
        do throws(OutlierError) {
            return try OutlierDetector(engine: engine, options: options, python: configuration)
        } catch {
            log.debug("\(error)", metadata: error.traceback.map { ["traceback": "\($0)"] })
            if case .python(.exception(let exception)) = error {
                throw Failure(.unavailable, "pyoutliers: \(exception.summary); 'outliers doctor' tells more")
            }
            throw Failure(error, input: "pyoutliers") { "sample \($0)" }
        }
    }

    /// The nearest directory upwards from the program that holds the `pyoutliers` package.
    static var packageDirectory: String? {
        guard let program = unsafe realpath("/proc/self/exe", nil) else { return nil }
        defer { unsafe free(program) }
        var directory = unsafe String(cString: program)[...]
        while let slash = directory.lastIndex(of: "/") {
            directory = directory[..<slash]
            if unsafe access("\(directory)/pyoutliers/__init__.py", R_OK) == 0 { return String(directory) + "/" }
        }
        return nil
    }
}
