import Glibc
import PythonBridge
import Testing

/// Processes forked from one where Python runs.
@Suite(.timeLimit(.minutes(15))) struct ForkTests {
    /// Forks, and has the child run `body` and exit with what it returns. Returns how the child ended. Swift hides fork(2).
    static func fork(_ body: () -> Int32) -> Int32 {
        typealias Fork = @convention(c) () -> pid_t
        guard let fork = unsafe dlsym(nil, "fork") else { preconditionFailure("there is no fork") }
        let child = unsafe unsafeBitCast(fork, to: Fork.self)()
        if child == 0 {
            endInTime()
            exit(body())
        }
        return wait(for: child)
    }

    /// Ends a child that hangs: it may, at a lock of Swift's that another thread held at the fork.
    static func endInTime() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGALRM)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)  // libdispatch blocks it on its threads
        alarm(20)
    }

    /// The exit code, or -1 for a process that was ended by a signal.
    static func wait(for child: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }

    @Test func `in the child of a fork Python does not run, and says so`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let sum = try python.function("sum", in: "builtins")
            let prepared = try sum.prepared(SharedBuffer<Int>(contentsOf: [1, 2]))
            let (mayEnd, ended, begun) = (Counter(), Counter(), Counter())
            for _ in 0..<4 {
                startThread {
                    while mayEnd.value == 0 {
                        let _: Int = try sum(.lending([1, 2]))
                        begun.add(1)
                    }
                    ended.add(1)
                }
            }
            let body: () -> Int32 = {
                guard thrown({ let _: Int = try sum(.lending([1])) })?.isNotRunning == true,
                    thrown({ let _: Int = try prepared() })?.isNotRunning == true,
                    thrown({ try python.run("pass") })?.isNotRunning == true
                else { return 1 }
                guard case .interpreter(let reason) = thrown({ _ = try TestPython.start() }) else { return 2 }
                return reason.contains("fork") ? 7 : 3
            }
            // What Swift does once it has done before the first fork.
            #expect(body() == 1)
            begun.wait(for: 400)
            for _ in 0..<20 {
                let code = Self.fork(body)
                #expect(code == 7)
                let here: Int = try prepared()
                #expect(here == 3)
            }
            mayEnd.add(1)
            ended.wait(for: 4)
        }
    }

    @Test func `in the child of a fork by Python, Python goes on`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let fork = try python.function("fork", in: "os")
            let sum = try python.function("sum", in: "builtins")
            let (mayEnd, begun) = (Counter(), Counter())
            for _ in 0..<2 {
                startThread {
                    while mayEnd.value == 0 {
                        let _: Int = try sum(.lending([1, 2]))
                        begun.add(1)
                    }
                }
            }
            try onNewThreads(2) { _ in let _: Int = try sum(.lending([40, 2])) }
            begun.wait(for: 200)
            for _ in 0..<10 {
                let child: Int = try fork()
                if child == 0 {
                    Self.endInTime()
                    let lent: Int = try sum(.lending([40, 2]))
                    try onNewThreads(2) { _ in
                        let other: Int = try sum(.lending([40, 2]))
                        if other != 42 { _exit(1) }
                    }
                    exit(lent == 42 ? 7 : 2)
                }
                #expect(Self.wait(for: pid_t(child)) == 7)
            }
            mayEnd.add(1)
            let codes: [Int] = try TestPython.fixture("codes_of_workers", in: "forking")()
            #expect(codes == [0, 0, 0])
        }
    }

    @Test func `Python is not stopped in the child of its own fork`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)
            let python = try TestPython.start()
            let child: Int = try python.function("fork", in: "os")()
            if child == 0 {
                Self.endInTime()
                let error = thrown { try python.stop() }
                try python.run("pass")
                exit(error?.description.contains("forked") == true ? 7 : 1)
            }
            #expect(Self.wait(for: pid_t(child)) == 7)
        }
    }
}
