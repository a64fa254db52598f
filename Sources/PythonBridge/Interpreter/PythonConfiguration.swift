/// How to start Python. By default it is isolated from the user's settings. Source: `PyConfig_InitIsolatedConfig`.
///
/// Python always runs in UTF-8 mode, whatever the locale (PEP 540).
public struct PythonConfiguration: Sendable, Hashable {
    /// Which installed packages are found.
    public var environment: PythonEnvironment
    /// Directories in which modules are looked for first, in this order; a relative one starts at the working directory.
    public var searchPaths: [String]
    /// The directory that holds `lib/python3.x`, as `PYTHONHOME`; nil to derive it from the environment.
    public var home: String?
    /// Whether `PYTHONPATH` and the other `PYTHON…` variables count.
    public var usesEnvironmentVariables: Bool
    /// Whether the user's own site-packages count.
    public var usesUserSite: Bool
    /// Whether Python takes over SIGINT and ignores SIGPIPE.
    public var installsSignalHandlers: Bool

    /// A configuration.
    public init(
        environment: PythonEnvironment = .automatic,
        searchPaths: [String] = [],
        home: String? = nil,
        usesEnvironmentVariables: Bool = false,
        usesUserSite: Bool = false,
        installsSignalHandlers: Bool = false
    ) {
        self.environment = environment
        self.searchPaths = searchPaths
        self.home = home
        self.usesEnvironmentVariables = usesEnvironmentVariables
        self.usesUserSite = usesUserSite
        self.installsSignalHandlers = installsSignalHandlers
    }
}

extension PythonConfiguration {
    /// Throws unless `home` holds the standard library.
    ///
    /// A CPython that does not find it fails half way, and cannot be started in the same process again.
    func validateHome() throws(PythonError) {
        guard let home else { return }
        let version = PythonVersion.linked
        let candidates = [
            "lib/python\(version)/os.py", "lib64/python\(version)/os.py", "lib/python3\(version.minor).zip",
        ]
        guard candidates.contains(where: { FileSystem.exists("\(home)/\($0)") }) else {
            throw .interpreter("'\(home)' is not the home of a Python \(version): it has no lib/python\(version)")
        }
    }
}
