internal import CShim
internal import Glibc

/// The CPython in this process. There is one at a time; values of this type are tickets to it.
///
/// After ``start(_:)`` no thread holds the GIL. Any thread and any task may call, and none has to attach or detach itself.
/// When the process exits, Python's exit handlers run and its output is flushed; it is
/// finalized by ``stop(within:)`` alone.
public struct PythonInterpreter: Sendable {
    /// How it was started.
    public let configuration: PythonConfiguration
    /// The environment that was found.
    public let environment: PythonEnvironment.Location

    /// Runs a script once, however many threads ask for it.
    private let scriptLoader: PythonFunction

    // MARK: - Start and stop

    private struct State {
        var running: PythonInterpreter?
        var isStopping = false
        var leavesAtExit = false
    }

    private static let state = Lock(State())

    /// Starts Python, or returns the interpreter that was started with the same configuration before.
    ///
    /// A Python that somebody else started in this process (another library, or the program, if it is Python itself) is taken as
    /// it is: of the configuration only the search paths count, and the environment must be the same if one is named. It goes on
    /// after ``stop(within:)``.
    ///
    /// Source: `Py_InitializeFromConfig`.
    /// - Throws: ``PythonError/environment(_:)`` when the environment cannot be used; ``PythonError/interpreter(_:)`` when Python
    ///   runs with another configuration, is just being stopped, was stopped after numpy was loaded, or does not start; and in
    ///   the child of a fork.
    public static func start(_ configuration: PythonConfiguration = .init()) throws(PythonError) -> PythonInterpreter {
        guard !cshim_was_forked() else {
            throw .interpreter(
                "Python cannot run in a process that was forked from one where it ran: fork before Python starts, "
                    + "or start a program")
        }
        return try state.withLock { state throws(PythonError) in
            guard !state.isStopping else { throw .interpreter("Python is being stopped") }
            if let running = state.running, isRunning {  // whoever started it, if not the bridge, may have ended it
                guard running.configuration == configuration else {
                    throw .interpreter("Python is already running with another configuration")
                }
                return running
            }
            guard cshim_is_initialized() || !cshim_numpy_was_loaded() else {
                throw .interpreter("Python cannot start again: numpy was loaded before, and cannot be loaded twice")
            }
            guard !cshim_threads_are_left() else {
                throw .interpreter(
                    "Python cannot start again yet: a daemon thread of the Python that was stopped has not ended")
            }
            let interpreter = try PythonInterpreter(starting: configuration)
            state.running = interpreter
            if !state.leavesAtExit {
                state.leavesAtExit = true
                atexit { PythonInterpreter.leaveAtExit() }
            }
            return interpreter
        }
    }

    private init(starting configuration: PythonConfiguration) throws(PythonError) {
        self.configuration = configuration
        let runsAlready = cshim_is_initialized()
        let wanted = runsAlready ? nil : try configuration.environment.locate()
        if !runsAlready { try configuration.validateHome() }
        if let reason = Self.startFailure(configuration, executable: wanted?.executable) {
            throw .interpreter("Python did not start: \(reason)")
        }
        do throws(PythonError) {
            let attachment = try Attachment()
            defer { extendLifetime(attachment) }
            if let wanted { environment = wanted } else { environment = try configuration.environment.locateRunning() }
            // Each goes to the front, so that the first of them ends up there.
            for path in configuration.searchPaths.reversed() {
                let directory = FileSystem.resolved(path) ?? FileSystem.absolute(path)
                guard unsafe cshim_add_search_path(directory) else { throw .raised() }
            }
            scriptLoader = try ScriptLoader.make()
        } catch {
            cshim_stop { PendingReleases.drain() }
            throw error
        }
    }

    /// Starts CPython; the reason when it does not.
    private static func startFailure(_ configuration: PythonConfiguration, executable: String?) -> String? {
        let executable = unsafe executable.flatMap { unsafe strdup($0) }
        let home = unsafe configuration.home.flatMap { unsafe strdup($0) }
        defer {
            unsafe free(executable)
            unsafe free(home)
        }
        var plain = unsafe cshim_configuration(
            executable: executable, home: home,
            uses_environment_variables: configuration.usesEnvironmentVariables,
            uses_user_site: configuration.usesUserSite,
            installs_signal_handlers: configuration.installsSignalHandlers)
        guard let reason = unsafe cshim_start(&plain) else { return nil }
        defer { unsafe free(reason) }
        return unsafe String(cString: reason)
    }

    /// One stop at a time.
    private static let stop = Lock(())

    /// Stops Python, once the calls that other threads have under way have ended. Meanwhile these may go on calling; all other
    /// threads find that Python is not running.
    ///
    /// Objects and functions that are left become inert; calling them throws ``PythonError/notRunning``. Python can be started again
    /// unless numpy was loaded, which no process can load twice, and not before its daemon threads have ended. Source: `Py_FinalizeEx`.
    ///
    /// - Parameter limit: How long to wait for calls; as long as they take when it is nil. Python's own threads are not calls: for those
    ///   that are no daemons Python waits itself, without a limit.
    /// - Throws: ``PythonError/interpreter(_:)``, and Python goes on: within a call, which would wait for itself; after the limit, with
    ///   what it was that ran; on another thread than the one that started Python with signal handlers; in a process that Python
    ///   forked. Also when output could not be flushed; Python has stopped then.
    public func stop(within limit: Duration? = nil) throws(PythonError) {
        guard !cshim_is_inside() else {
            throw .interpreter("Python cannot be stopped within a call, an attached block or a callback")
        }
        let deadline: ContinuousClock.Instant? = limit.map { .now + $0 }
        while try Self.stop.withLockIfAvailable({ _ throws(PythonError) in try Self.stop(until: deadline) }) == nil {
            if let deadline, deadline <= .now {
                throw .interpreter("Python was not stopped: another stop waits for calls")
            }
            usleep(500)
        }
    }

    private static func stop(until deadline: ContinuousClock.Instant?) throws(PythonError) {
        guard state.withLock({ $0.running }) != nil else { return }
        try waitForCalls(until: deadline)
        // What Python runs while it stops may ask for an interpreter, so that the lock is not held meanwhile.
        state.withLock { $0.isStopping = true }
        let outcome = cshim_stop { PendingReleases.drain() }
        let hasStopped = outcome == .CSHIM_STOPPED || outcome == .CSHIM_NOT_FLUSHED
        state.withLock { state in
            state.isStopping = false
            if hasStopped { state.running = nil }
        }
        guard hasStopped else {
            cshim_admit(true)
            throw .interpreter(
                outcome == .CSHIM_FORKED
                    ? "Python cannot be stopped in a process that it forked: it ends with the process"
                    : "Python has signal handlers: it is stopped on the thread that started it")
        }
        guard outcome == .CSHIM_STOPPED else {
            throw .interpreter("Python could not flush its output when it stopped")
        }
    }

    /// Admits no further thread, and waits for those that are inside.
    private static func waitForCalls(until deadline: ContinuousClock.Instant?) throws(PythonError) {
        cshim_admit(false)
        while !cshim_close() {
            if let deadline, deadline <= .now {
                cshim_admit(true)
                throw .interpreter("Python was not stopped: \(RunningCalls.description)")
            }
            usleep(500)
        }
    }

    /// What a process that exits owes to Python: its exit handlers run, and what it printed is written.
    ///
    /// CPython is not finalized. The destructors of the extensions' C++ objects have run by now, as they were loaded after this
    /// handler was registered, and some of them (scipy's) give up references that finalizing would give up a second time.
    ///
    /// A thread that is not attached leaves this to another one: when code in C does not let go of the GIL, the process
    /// ends all the same.
    private static func leaveAtExit() {
        guard isRunning, let python = state.withLockIfAvailable({ $0.running }) ?? nil else { return }
        if cshim_is_attached() {
            python.leave()
        } else {
            _ = PatientThread.run(upToAttach: .seconds(10)) { python.leave() }
        }
    }

    private func leave() {
        try? function("_run_exitfuncs", in: "atexit")()
        for stream in ["stdout", "stderr"] { try? module("sys").attribute(stream).function("flush")() }
    }

    /// Whether Python runs.
    public static var isRunning: Bool { cshim_running() != 0 }

    /// The path of the libpython that the program is linked with, where the loader tells it. Source: dladdr(3).
    public static var libraryPath: String? {
        unsafe cshim_library_path().map { unsafe String(cString: $0) }
    }
}

// MARK: - What to run

extension PythonInterpreter {
    /// Imports a module. Source: `PyImport_ImportModule`.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with `ModuleNotFoundError`, or whatever the module raised.
    public func module(_ name: String) throws(PythonError) -> PythonObject {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        return try PythonObject(importing: name)
    }

    /// The function of a module, which is imported if need be. Look it up once and call it often.
    ///
    /// - Throws: ``PythonError/exception(_:)`` when the module or the function is not there;
    ///   ``PythonError/notCallable(name:type:)`` when the name is not a function's.
    public func function(_ name: String, in module: String) throws(PythonError) -> PythonFunction {
        try self.module(module).function(name)
    }

    /// The function of any script, unmodified: the file is run once as a module, so that its `__name__` is not `__main__`, with
    /// its directory first on `sys.path`.
    ///
    /// Source: `importlib.machinery.SourceFileLoader`.
    /// - Throws: ``PythonError/exception(_:)`` when the script cannot be read, raises, or has no such function;
    ///   ``PythonError/notCallable(name:type:)``.
    public func function(_ name: String, inScript path: String) throws(PythonError) -> PythonFunction {
        let file = FileSystem.resolved(path) ?? FileSystem.absolute(path)
        let script: PythonObject = try scriptLoader(file, FileSystem.parent(of: file))
        return try script.function(name)
    }

    /// Runs statements in the namespace of `__main__`, which lasts from one run to the next.
    ///
    /// - Throws: ``PythonError/exception(_:)``, also for `SystemExit`: the process goes on.
    public func run(_ source: String) throws(PythonError) {
        _ = try evaluate(source, isExpression: false, as: Ignored.self)
    }

    /// The value of an expression in the namespace of `__main__`.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/conversion(expected:found:)`` when the value is not an `R`.
    public func evaluate<R: PythonResult>(_ expression: String, as type: R.Type = R.self) throws(PythonError) -> R {
        try evaluate(expression, isExpression: true, as: type)
    }

    private func evaluate<R: PythonResult>(
        _ source: String, isExpression: Bool, as type: R.Type
    ) throws(PythonError) -> R {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        let value = unsafe try PythonValue(created: cshim_run(source, source.utf8.count, "<string>", isExpression))
        return try R.read(value)
    }
}
