import Glibc
import PythonBridge

/// The one interpreter of the test process, isolated and with the environment that `make` prepared.
enum TestPython {
    static func start() throws(PythonError) -> PythonInterpreter {
        try PythonInterpreter.start(PythonConfiguration(searchPaths: [repository]))
    }

    /// A Python expression that is a function.
    static func lambda(_ source: String) throws(PythonError) -> PythonFunction {
        try start().evaluate(source, as: PythonObject.self).function("__call__")
    }

    /// The checkout's directory.
    static let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

    /// The environment that `make` prepared.
    static let virtualEnvironment =
        unsafe getenv("VIRTUAL_ENV").map { unsafe String(cString: $0) } ?? repository + "/.venv"
}
