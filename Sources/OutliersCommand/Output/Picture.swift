import ArgumentParser
import PythonBridge

/// A picture that a function of `pyoutliers` draws by matplotlib, in this process.
enum Picture {
    /// - Throws: `ValidationError` unless the ending says PNG or SVG.
    static func check(_ name: String) throws {
        if ![".png", ".svg"].contains(where: name.lowercased().hasSuffix) {
            throw ValidationError("--plot takes a name that ends in .png or .svg")
        }
    }

    /// - Parameter draw: Calls the function, with the path to write to.
    /// - Throws: ``Failure``; ``Failure/Code/unavailable`` says how to get matplotlib when it is missing.
    static func draw(
        _ function: String, in module: String, to file: OutputFile, python configuration: PythonConfiguration,
        _ draw: (PythonFunction, _ path: String) throws(PythonError) -> Void
    ) throws(Failure) {
        try telling(path: file.name, configuration) { python throws(PythonError) in
            try draw(try python.function(function, in: module), file.path)
        }
    }

    /// Imports matplotlib, for pictures of what takes long.
    ///
    /// - Throws: ``Failure``, as drawing does when it is missing.
    static func requireMatplotlib(python configuration: PythonConfiguration) throws(Failure) {
        try telling(path: "matplotlib", configuration) { python throws(PythonError) in
            _ = try python.module("matplotlib.figure")
        }
    }

    private static func telling(
        path: String, _ configuration: PythonConfiguration, _ body: (PythonInterpreter) throws(PythonError) -> Void
    ) throws(Failure) {
        do throws(PythonError) {
            try body(try PythonInterpreter.start(configuration))
        } catch {
            throw failure(error, path: path, configuration)
        }
    }

    private static func failure(
        _ error: PythonError, path: String, _ configuration: PythonConfiguration
    ) -> Failure {
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
