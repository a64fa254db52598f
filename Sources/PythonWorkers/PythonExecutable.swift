public import PythonBridge

/// Which python a process of its own runs: unlike the one in this process it may be of any version.
public enum PythonExecutable: Sendable, Hashable {
    /// That of `VIRTUAL_ENV` if it is set; else of the nearest `.venv` upwards from the working directory, or from the program; else the
    /// system's that libpython is of.
    case automatic
    /// That of the virtual environment in this directory.
    case virtualEnvironment(String)
    /// The system's that libpython is of.
    case system
    /// A program: a path, or a name that is looked for in `PATH`, such as `python3.12`.
    case program(String)

    /// The python of an environment.
    public init(_ environment: PythonEnvironment) {
        self =
            switch environment {
            case .automatic: .automatic
            case .virtualEnvironment(let directory): .virtualEnvironment(directory)
            case .system: .system
            }
    }

    /// Finds the python. Nothing is started.
    ///
    /// - Returns: Its absolute path.
    /// - Throws: `PythonError.environment(_:)` when there is none, or no virtual environment.
    public func locate() throws(PythonError) -> String {
        switch self {
        case .automatic: try Self.executable(of: .automatic)
        case .virtualEnvironment(let directory): try Self.executable(of: .virtualEnvironment(directory))
        case .system: try Self.executable(of: .system)
        case .program(let name): try FileSystem.program(name)
        }
    }

    private static func executable(of environment: PythonEnvironment) throws(PythonError) -> String {
        guard let executable = try environment.locate(ofAnyVersion: true).executable else {
            throw .environment("the system's python is not found")
        }
        return executable
    }
}
