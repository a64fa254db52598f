/// A Python script as it is, run in a process of its own: whatever happens to it, this process goes on.
///
/// ```swift
/// let script = PythonScript(.file("legacy.py"), python: .virtualEnvironment(".venv"))
/// let output = try await script.run(arguments: ["--fast"], timeout: .seconds(5))
/// print(output.standardOutput)
/// ```
///
/// Each run starts Python anew, in a session and so a process group of its own, without a terminal. A run ends when the script does. What
/// still holds the script's output then, a program that it has left in its group, has ``grace`` to end: it gets SIGTERM at the start of
/// that, and SIGKILL at the end. What has neither the output nor the group, a daemon, goes on.
public struct PythonScript: Sendable, Hashable {
    /// Where the code is.
    public enum Source: Sendable, Hashable {
        /// A file, or a directory or zip file with a `__main__.py`; a relative path starts at the working directory of the script.
        case file(String)
        /// The code itself, no more than 128 KiB of it.
        case code(String)
        /// A module, as for `python -m`.
        case module(String)
    }

    /// What is run.
    public var source: Source
    /// What runs it. A relative path here starts at the working directory of this process.
    public var python: PythonExecutable
    /// Where the script runs; nil for the working directory of this process.
    public var workingDirectory: String?
    /// The environment variables that the script sees.
    public var environment: ScriptEnvironment
    /// How many bytes either stream may have before the script is ended.
    public var outputLimit: Int
    /// How long a script that is asked to end (SIGTERM) has for it before it is made to (SIGKILL).
    public var grace: Duration
    /// Whether it is the python that matters: a program of any kind, run with the arguments alone. Where scripts are killed it is
    /// asked to end (SIGTERM), since it may have processes of its own to end.
    package private(set) var isProgram = false

    /// A script. Nothing is looked for yet.
    public init(
        _ source: Source, python: PythonExecutable = .automatic, workingDirectory: String? = nil,
        environment: ScriptEnvironment = .inherited, outputLimit: Int = 64 << 20, grace: Duration = .milliseconds(100)
    ) {
        self.source = source
        self.python = python
        self.workingDirectory = workingDirectory
        self.environment = environment
        self.outputLimit = outputLimit
        self.grace = grace
    }

    /// A program that is run, and watched, as a script is.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - name: What it is called in messages.
    package static func program(_ path: String, name: String) -> PythonScript {
        var script = PythonScript(.file(name), python: .program(path))
        script.isProgram = true
        return script
    }

    /// Runs the script, and suspends the task until it has ended.
    ///
    /// When the task is cancelled or the time is over, the script and what it has started get SIGTERM, and SIGKILL after ``grace``.
    ///
    /// - Parameters:
    ///   - arguments: What the script has as `sys.argv[1:]`; each holds less than 128 KiB.
    ///   - input: Its standard input.
    ///   - output: Whether its streams are kept apart.
    ///   - timeout: How long it may take from this call on.
    ///   - line: Is called with each line as it comes, in a thread of the run's own, which reads no further meanwhile. Python's own streams are not
    ///     buffered then (`-u`).
    /// - Returns: What the script wrote, until it ended with status 0.
    /// - Throws: ``ScriptError`` for everything else.
    @discardableResult
    public func run(
        arguments: [String] = [], input: ScriptInput = .none, output: ScriptOutput.Form = .separate,
        timeout: Duration? = nil, line: (@Sendable (ScriptOutput.Line) -> Void)? = nil
    ) async throws(ScriptError) -> ScriptOutput {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        let launch = try ScriptLaunch(self, arguments: arguments, isUnbuffered: line != nil)
        guard !Task.isCancelled else { throw launch.script.error(.cancelled) }
        let run = try ScriptRun(launch, input: input, form: output, timeout: timeout, deadline: deadline, line: line)
        return try await run.result()
    }

    /// Runs the script, and blocks the thread until it has ended: for threads that run no tasks.
    ///
    /// - Parameters: As for ``run(arguments:input:output:timeout:line:)``.
    /// - Returns: What the script wrote, until it ended with status 0.
    /// - Throws: ``ScriptError`` for everything else.
    @discardableResult
    public func runAndWait(
        arguments: [String] = [], input: ScriptInput = .none, output: ScriptOutput.Form = .separate,
        timeout: Duration? = nil, line: (@Sendable (ScriptOutput.Line) -> Void)? = nil
    ) throws(ScriptError) -> ScriptOutput {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        let launch = try ScriptLaunch(self, arguments: arguments, isUnbuffered: line != nil)
        let run = try ScriptRun(launch, input: input, form: output, timeout: timeout, deadline: deadline, line: line)
        return try run.waitForResult()
    }

    /// Kills all scripts that run, and what they have started in their groups: for a program that is about to end by a
    /// signal. A terminal's Ctrl-C does not reach them. Any thread; it does not wait.
    public static func killAll() { ScriptRun.killAll() }
}

/// What a script reads from its standard input.
public enum ScriptInput: Sendable, Hashable {
    /// Nothing: `/dev/null`.
    case none
    /// Text, in UTF-8.
    case text(String)
    /// Bytes. The script sees a file without a name that holds them; however many they are, it may leave them unread.
    case bytes([UInt8])

    var bytes: [UInt8]? {
        switch self {
        case .none: nil
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        }
    }
}

/// The environment variables of a script.
///
/// ```swift
/// let environment = ScriptEnvironment.inherited.setting(["OMP_NUM_THREADS": "1"]).removing("PYTHONPATH")
/// ```
public struct ScriptEnvironment: Sendable, Hashable {
    let isInherited: Bool
    /// What differs; nil for a variable that is removed.
    private(set) var changes: [String: String?] = [:]

    /// The variables of this process, as they are when the script starts.
    public static let inherited = ScriptEnvironment(isInherited: true)
    /// No variable.
    public static let empty = ScriptEnvironment(isInherited: false)

    private init(isInherited: Bool) { self.isInherited = isInherited }

    /// The same with some variables set.
    public func setting(_ variables: [String: String]) -> ScriptEnvironment {
        var copy = self
        for (name, value) in variables { copy.changes[name] = .some(value) }
        return copy
    }

    /// The same without some variables.
    public func removing(_ names: String...) -> ScriptEnvironment { removing(names) }

    /// The same without some variables.
    public func removing(_ names: [String]) -> ScriptEnvironment {
        var copy = self
        for name in names { copy.changes[name] = .some(nil) }
        return copy
    }
}
