import ArgumentParser
import Glibc
import Logging
import Outliers
import PythonBridge
import PythonWorkers

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

    /// The same, with a directory that modules are looked for in first.
    func configuration(searching directory: String) -> PythonConfiguration {
        var configuration = configuration
        configuration.searchPaths.insert(directory, at: 0)
        return configuration
    }

    /// A pool of workers, none of which is started.
    func pool(count: Int, timeout: Duration? = nil) -> PythonWorkers {
        // What a worker writes is no message of the program's.
        var logger = Logger(label: "outliers.worker")
        logger.logLevel = log.logLevel <= .debug ? log.logLevel : .critical
        return PythonWorkers(
            WorkerConfiguration(
                count: count, python: PythonExecutable(configuration.environment),
                searchPaths: configuration.searchPaths, timeout: timeout, logger: logger))
    }

    /// A detector, where everything that it needs can be used.
    ///
    /// - Throws: ``Failure``: whatever Python raises this early is about the packages, not about the samples.
    func detector(
        _ engine: OutlierDetector.Engine, options: DetectionOptions = .standard, timeout: Duration? = nil,
        workers: Int? = nil
    ) throws(Failure) -> OutlierDetector {
        if engine == .worker {
            return OutlierDetector(
                engine: WorkerEngine(workers: pool(count: workers ?? 1, timeout: timeout)), options: options)
        }
        return try preparing("pyoutliers") { () throws(OutlierError) in
            try OutlierDetector(engine: engine, options: options, python: configuration, timeout: timeout)
        }
    }

    /// Does what needs Python and its packages.
    ///
    /// - Throws: ``Failure``, with whatever Python raises as ``Failure/Code/unavailable``.
    func preparing<R>(_ name: String, _ body: () throws(OutlierError) -> R) throws(Failure) -> R {
        do throws(OutlierError) {
            return try body()
        } catch {
            log.debug("\(error)", metadata: error.traceback.map { ["traceback": "\($0)"] })
            if case .python(.exception(let exception)) = error {
                throw Failure(.unavailable, "\(name): \(exception.summary); 'outliers doctor' tells more")
            }
            throw Failure(error, input: name) { "sample \($0)" }
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
