internal import Glibc

/// How a process ended.
public enum ProcessEnding: Sendable, Hashable {
    /// By itself, with a status.
    case exited(Int32)
    /// By a signal, such as `SIGSEGV`.
    case signalled(Int32)

    /// Waits for the end of a child, which is left to be reaped by somebody else. Source: waitid(2), `WNOWAIT`.
    init?(of process: Int32) {
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) != 0 {
            guard errno == EINTR else { return nil }
        }
        let status = unsafe information._sifields._sigchld.si_status
        self = unsafe information.si_code == CLD_EXITED ? .exited(status) : .signalled(status)
    }
}

extension ProcessEnding: CustomStringConvertible {
    /// Source: signal(7).
    private static let names = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
        SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
        SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]

    /// `exited with status 3`, or `ended by SIGSEGV`.
    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signalled(let signal): "ended by \(Self.names[signal] ?? "signal \(signal)")"
        }
    }
}
