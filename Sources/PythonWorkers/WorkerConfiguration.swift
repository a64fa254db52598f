public import Logging

/// How workers are started, and how long each is used.
public struct WorkerConfiguration: Sendable {
    /// What a worker may use. A limit that is reached raises in Python (`MemoryError`, `OSError`) or ends the worker. Source: setrlimit(2).
    public struct Limits: Sendable, Hashable {
        /// Bytes of memory of its own, shared buffers not counted (`RLIMIT_DATA`).
        public var memory: Int?
        /// Processor time, in whole seconds, over all its calls (`RLIMIT_CPU`); at its end the worker is killed by SIGXCPU.
        public var processorSeconds: Int?
        /// Descriptors (`RLIMIT_NOFILE`). A worker has eight of its own, and one more for each shared buffer that it maps.
        public var openFiles: Int?

        /// Limits; nil for none.
        public init(memory: Int? = nil, processorSeconds: Int? = nil, openFiles: Int? = nil) {
            self.memory = memory
            self.processorSeconds = processorSeconds
            self.openFiles = openFiles
        }
    }

    /// After what a worker is replaced by a new one, between two calls.
    public struct Recycling: Sendable, Hashable {
        /// So many calls.
        public var calls: Int?
        /// More than so many bytes of memory of its own (`RssAnon`). Source: proc(5).
        public var memory: Int?

        /// Bounds; nil for none.
        public init(calls: Int? = nil, memory: Int? = nil) {
            self.calls = calls
            self.memory = memory
        }
    }

    /// How many processes there are at most. They are started when they are needed.
    public var count: Int
    /// The python, of any version from 3.9 on.
    public var python: PythonExecutable
    /// Directories in which modules are looked for first; a relative one starts at this process's working directory.
    public var searchPaths: [String]
    /// Where the processes run; nil for this process's directory.
    public var workingDirectory: String?
    /// What the processes' environment has beyond this one's; nil for a variable that they are not to have. Python itself ignores its `PYTHON…` variables.
    public var environmentVariables: [String: String?]
    /// What a worker may use.
    public var limits: Limits
    /// After what a worker is replaced.
    public var recycling: Recycling
    /// How long a call may take, the wait for a worker included, unless it says otherwise; nil for any time.
    public var timeout: Duration?
    /// How long a process may take to start.
    public var startTimeout: Duration
    /// How long a process that is asked to end has time before it is killed: from SIGTERM to SIGKILL.
    public var terminationGrace: Duration
    /// A worker that was idle for longer is asked whether it is alive before it gets a call, and replaced if it is not.
    public var healthCheckInterval: Duration
    /// Where the workers' log records go, and the lines that they print: to standard output as `info`, to standard error as `warning`.
    public var logger: Logger

    /// A configuration.
    ///
    /// - Precondition: `count` is at least 1.
    public init(
        count: Int = 1, python: PythonExecutable = .automatic, searchPaths: [String] = [],
        workingDirectory: String? = nil,
        environmentVariables: [String: String?] = [:], limits: Limits = Limits(), recycling: Recycling = Recycling(),
        timeout: Duration? = nil, startTimeout: Duration = .seconds(30),
        terminationGrace: Duration = .milliseconds(100),
        healthCheckInterval: Duration = .seconds(5), logger: Logger = Logger(label: "PythonWorkers")
    ) {
        precondition(count >= 1, "a pool has at least one worker")
        self.count = count
        self.python = python
        self.searchPaths = searchPaths
        self.workingDirectory = workingDirectory
        self.environmentVariables = environmentVariables
        self.limits = limits
        self.recycling = recycling
        self.timeout = timeout
        self.startTimeout = startTimeout
        self.terminationGrace = terminationGrace
        self.healthCheckInterval = healthCheckInterval
        self.logger = logger
    }
}
