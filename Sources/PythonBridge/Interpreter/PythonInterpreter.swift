internal import CShim
internal import Glibc
internal import Synchronization

/// The CPython in this process. There is one at a time; values of this type are tickets to it.
///
/// After ``start(_:)`` no thread holds the GIL. Any thread and any task may call, and none has to attach or detach itself.
/// When the process exits, Python's exit handlers run and its output is flushed; it is
/// finalized by ``stop()`` alone.
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
        var numpyWasLoaded = false
        var leavesAtExit = false
    }

    private static let state = Mutex(State())

    /// Starts Python, or returns the interpreter that was started with the same configuration before.
    ///
    /// Source: `Py_InitializeFromConfig`.
    /// - Throws: ``PythonError/environment(_:)`` when the environment cannot be used; ``PythonError/interpreter(_:)`` when Python
    ///   runs with another configuration, when numpy was loaded before a ``stop()``, or when CPython does not start.
    public static func start(_ configuration: PythonConfiguration = .init()) throws(PythonError) -> PythonInterpreter {
        try state.withLock { state throws(PythonError) in
            if let running = state.running {
                guard running.configuration == configuration else {
                    throw .interpreter("Python is already running with another configuration")
                }
                return running
            }
            guard !state.numpyWasLoaded else {
                throw .interpreter("Python cannot start again: numpy was loaded before, and cannot be loaded twice")
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
        environment = try configuration.environment.locate()
        try configuration.validateHome()
        if let reason = Self.startFailure(configuration, executable: environment.executable) {
            throw .interpreter("Python did not start: \(reason)")
        }
        do throws(PythonError) {
            let attachment = try Attachment()
            defer { extendLifetime(attachment) }
            // Each goes to the front, so that the first of them ends up there.
            for path in configuration.searchPaths.reversed() {
                let directory = FileSystem.resolved(path) ?? FileSystem.absolute(path)
                guard unsafe cshim_add_search_path(directory) else { throw .raised() }
            }
            scriptLoader = try ScriptLoader.make()
        } catch {
            cshim_stop()
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

    /// Stops Python. Objects and functions that are left become inert; calling them throws ``PythonError/notRunning``.
    ///
    /// Python can be started again unless numpy was loaded, which no process can load twice. The caller must not be within a
    /// call, and sees to it that no other thread is. Source: `Py_FinalizeEx`.
    /// - Throws: ``PythonError/interpreter(_:)`` when output could not be flushed; Python has stopped all the same.
    public func stop() throws(PythonError) {
        try Self.state.withLock { state throws(PythonError) in
            guard state.running != nil else { return }
            try Self.noteNumpy(&state)
            state.running = nil
            guard cshim_stop() else { throw .interpreter("Python could not flush its output when it stopped") }
        }
    }

    private static func noteNumpy(_ state: inout State) throws(PythonError) {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        if unsafe cshim_is_imported("numpy") { state.numpyWasLoaded = true }
    }

    /// What a process that exits owes to Python: its exit handlers run, and what it printed is written.
    ///
    /// CPython is not finalized. The destructors of the extensions' C++ objects have run by now, as they were loaded after this
    /// handler was registered, and some of them (scipy's) give up references that finalizing would give up a second time.
    private static func leaveAtExit() {
        guard let python = state.withLockIfAvailable({ $0.running }) ?? nil else { return }
        try? python.function("_run_exitfuncs", in: "atexit")()
        for stream in ["stdout", "stderr"] { try? python.module("sys").attribute(stream).function("flush")() }
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
