import ArgumentParser
import Glibc
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
