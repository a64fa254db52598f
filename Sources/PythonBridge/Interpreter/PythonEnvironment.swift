internal import CShim

/// Which environment, and so which installed packages, the interpreter uses.
public enum PythonEnvironment: Sendable, Hashable {
    /// `VIRTUAL_ENV` if it is set; else the nearest `.venv` upwards from the working directory, or from the program; else the system's.
    case automatic
    /// The virtual environment in this directory.
    case virtualEnvironment(String)
    /// The Python that libpython was installed with.
    case system
}

extension PythonEnvironment {
    /// An environment that has been found: where it is, and why it was taken.
    public struct Location: Sendable, Hashable {
        /// The virtual environment's directory; nil for the system's.
        public let directory: String?
        /// The python of the environment, as `PyConfig.executable`; nil when the system's cannot be found.
        public let executable: String?
        /// What led here, such as "VIRTUAL_ENV".
        public let origin: String
    }

    /// Finds the environment.
    ///
    /// - Throws: ``PythonError/environment(_:)`` when a virtual environment is none, or is of another minor version than the
    ///   linked libpython: its packages could not be loaded.
    public func locate() throws(PythonError) -> Location { try locate(ofAnyVersion: false) }

    /// - Parameter ofAnyVersion: Whether the python is for a process of its own, which need not have the version of libpython.
    package func locate(ofAnyVersion: Bool) throws(PythonError) -> Location {
        func validate(_ path: String, origin: String) throws(PythonError) -> Location {
            try Self.validate(path, origin: origin, isOfAnyVersion: ofAnyVersion)
        }
        switch self {
        case .virtualEnvironment(let directory):
            return try validate(directory, origin: "chosen")
        case .system:
            return Self.systemLocation
        case .automatic:
            if let directory = FileSystem.environmentVariable("VIRTUAL_ENV") {
                return try validate(directory, origin: "VIRTUAL_ENV")
            }
            let program = FileSystem.resolved("/proc/self/exe").map(FileSystem.parent(of:))
            for start in [FileSystem.currentDirectory, program].compactMap(\.self) {
                if let directory = Self.nearest(from: start) {
                    return try validate(directory, origin: "found upwards from \(start)")
                }
            }
            return Self.systemLocation
        }
    }

    /// The environment of a Python that somebody else started. The thread is attached.
    ///
    /// - Throws: ``PythonError/environment(_:)`` when this names another one.
    func locateRunning() throws(PythonError) -> Location {
        let system = try PythonObject(importing: "sys")
        let prefix: String = try system.attribute("prefix").read()
        let isVirtual = try system.attribute("base_prefix").read() != prefix
        if case .virtualEnvironment(let directory) = self,
            FileSystem.resolved(directory) != FileSystem.resolved(prefix)
        {
            throw .environment("Python runs in this process already, in '\(prefix)': it cannot be in '\(directory)'")
        }
        return Location(
            directory: isVirtual ? prefix : nil, executable: try system.attribute("executable").read(),
            origin: "the Python that runs in this process already")
    }

    /// The nearest `.venv` in a directory or one above it.
    private static func nearest(from start: String) -> String? {
        var directory = start
        while true {
            let candidate = directory == "/" ? "/.venv" : directory + "/.venv"
            if FileSystem.exists(candidate + "/pyvenv.cfg") { return candidate }
            if directory == "/" { return nil }
            directory = FileSystem.parent(of: directory)
        }
    }

    private static func validate(
        _ path: String, origin: String, isOfAnyVersion: Bool
    ) throws(PythonError) -> Location {
        let directory = FileSystem.absolute(path)
        guard FileSystem.isDirectory(directory) else {
            throw .environment("the environment '\(path)' (\(origin)) is not a directory")
        }
        guard let lines = FileSystem.lines(of: directory + "/pyvenv.cfg") else {
            throw .environment("'\(path)' (\(origin)) is not a virtual environment: it has no pyvenv.cfg")
        }
        guard let version = version(in: lines) else {
            throw .environment("the environment '\(path)' (\(origin)) does not say its version in pyvenv.cfg")
        }
        guard isOfAnyVersion || version == .linked else {
            throw .environment(
                "the environment '\(path)' (\(origin)) is of Python \(version), but this program is linked with "
                    + "Python \(PythonVersion.linked): make one with 'python\(PythonVersion.linked) -m venv DIR'")
        }
        let executable = directory + "/bin/python"
        guard FileSystem.isExecutable(executable) else {
            throw .environment(
                "the environment '\(path)' (\(origin)) has no usable bin/python: was its Python removed or moved?")
        }
        return Location(directory: directory, executable: executable, origin: origin)
    }

    /// What `venv` writes as `version` and `virtualenv` and `uv` as `version_info`.
    private static func version(in lines: [Substring]) -> PythonVersion? {
        for line in lines {
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace } }
            if parts.count == 2, ["version", "version_info"].contains(parts[0]) { return PythonVersion(parts[1]) }
        }
        return nil
    }

    /// The python beside the linked libpython. Not the one on the PATH, which may be of another version and would lead the
    /// interpreter to another standard library.
    private static var systemLocation: Location {
        var executable: String?
        if let library = unsafe cshim_library_path().flatMap({ unsafe FileSystem.resolved(String(cString: $0)) }) {
            var directory = FileSystem.parent(of: library)
            while executable == nil, directory != "/" {
                directory = FileSystem.parent(of: directory)
                let candidate = (directory == "/" ? "" : directory) + "/bin/python\(PythonVersion.linked)"
                if FileSystem.isExecutable(candidate) { executable = candidate }
            }
        }
        return Location(directory: nil, executable: executable, origin: "the system's")
    }
}
