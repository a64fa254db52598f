import Glibc
import PythonBridge
import PythonWorkers
import Synchronization

/// Ctrl-C, and whatever else asks the program to end: SIGINT, SIGTERM and SIGHUP.
///
/// They are blocked in every thread, and one thread waits for them. One that unblocks them nevertheless, as that which watches over
/// processes does while it waits (epoll_pwait(2) with an empty mask), hands them on to it. When one comes, the Python code that runs is cancelled, and half a
/// second is for it and for Python's exit handlers; then, and at once where no Python code runs, the process ends by the signal itself,
/// and whatever Python has a process of its own with it.
/// A second signal ends that half second.
enum Interrupt {
    /// The first signal that has come; 0 before.
    private static let received = Atomic<Int32>(0)
    private static let isInPython = Atomic<Bool>(false)
    private static let endsByItself = Atomic<Bool>(false)
    /// The thread that waits, for a thread that one was delivered to.
    private static let waiting = Atomic<UInt>(0)
    /// The signal that work which ends by itself was asked by; 0 before.
    private static let asked = Atomic<Int32>(0)
    private static let cancellation = PythonCancellation()

    /// Begins to wait. There must be no other thread yet, since those inherit what is blocked.
    ///
    /// Signals that are ignored when the program starts, by nohup(1) or a shell's `&`, stay ignored.
    static func start() {
        let signals = [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) }
        var set = signalSet(signals)
        guard !signals.isEmpty, unsafe pthread_sigmask(SIG_BLOCK, &set, nil) == 0 else { return }
        // Behind Python's exit handlers, which are registered when it starts.
        atexit { Interrupt.endIfReceived() }
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { _ in
                Interrupt.wait()
                return nil
            }, nil)
        guard status == 0 else {
            unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
            return
        }
        waiting.store(thread, ordering: .sequentiallyConsistent)
        for number in signals {
            signal(number) { pthread_kill(Interrupt.waiting.load(ordering: .sequentiallyConsistent), $0) }
        }
    }

    /// Runs a closure that runs Python code: only there is it worth waiting for what the code does when it is cancelled.
    ///
    /// - Parameter isUsed: Whether it does so indeed.
    static func python<R, E>(isUsed: Bool = true, _ body: () throws(E) -> R) throws(E) -> R {
        guard isUsed else { return try body() }
        isInPython.store(true, ordering: .sequentiallyConsistent)
        defer { isInPython.store(false, ordering: .sequentiallyConsistent) }
        return try cancellation.run(body)
    }

    /// Runs work that the first signal only asks to end, with what it has got so far; behind it the process ends by that signal. A second
    /// signal ends it as anything else.
    ///
    /// - Parameter body: Is told how to see whether it was asked.
    static func asking<R, E>(_ body: (_ isAsked: () -> Bool) throws(E) -> R) throws(E) -> R {
        endsByItself.store(true, ordering: .sequentiallyConsistent)
        defer { endsByItself.store(false, ordering: .sequentiallyConsistent) }
        let result = try body { asked.load(ordering: .sequentiallyConsistent) != 0 }
        let signal = asked.load(ordering: .sequentiallyConsistent)
        if signal != 0 { end(by: signal) }
        return result
    }

    /// Goes no further when a signal has come. To be called before anything that lasts is done, such as printing the result.
    static func check() {
        if received.load(ordering: .sequentiallyConsistent) != 0 { exit(EXIT_FAILURE) }
    }

    // MARK: - On the thread that waits

    private static func wait() {
        var set = signalSet([SIGINT, SIGTERM, SIGHUP])
        var signal: Int32 = 0
        while unsafe sigwait(&set, &signal) != 0 {}
        if endsByItself.load(ordering: .sequentiallyConsistent) {
            asked.store(signal, ordering: .sequentiallyConsistent)
            while unsafe sigwait(&set, &signal) != 0 {}
        }
        received.store(signal, ordering: .sequentiallyConsistent)
        if isInPython.load(ordering: .sequentiallyConsistent) {
            cancellation.cancel()
            var limit = timespec(tv_sec: 0, tv_nsec: 500_000_000)
            _ = unsafe sigtimedwait(&set, nil, &limit)
        }
        end(by: signal)
    }

    private static func endIfReceived() {
        let signal = received.load(ordering: .sequentiallyConsistent)
        if signal != 0 { end(by: signal) }
    }

    /// Whichever thread comes first ends the process; the other one gets no further than the files.
    private static func end(by signal: Int32) -> Never {
        OutputFile.removeAll {
            PythonScript.killAll()
            TerminalLine.end(with: "outliers: interrupted\n")
            Glibc.signal(signal, SIG_DFL)
            var set = signalSet([signal])
            unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
            raise(signal)
            _exit(128 + signal)
        }
    }

    // MARK: - Signals

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        unsafe sigaction(signal, nil, &action)
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN
    }

    private static func signalSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}
