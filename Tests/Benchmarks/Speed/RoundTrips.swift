import Benchmark
import Dispatch
import Glibc
import PythonBridge
import PythonWorkers

/// Calls of a worker beside a bare ping-pong of 16 bytes with the same Python, over the same kind of socket.
func addRoundTrips(in repository: String) throws {
    let fixtures = repository + "/Tests/Fixtures"
    let workers = PythonWorkers(WorkerConfiguration(searchPaths: [fixtures]))
    let nothing = workers.function("nothing", in: "trips").blocking
    let length = workers.function("length", in: "trips").blocking
    let pingPong = try PingPong(fixtures + "/trips.py")
    let bare = Way("ping-pong") { times in for _ in 0..<times { pingPong.run() } }

    func shared(_ size: String, _ bytes: Int) throws -> Way {
        let a = try SharedBuffer<UInt8>(sharedMemoryCapacity: bytes)
        let b = try SharedBuffer<UInt8>(sharedMemoryCapacity: bytes)
        return Way("worker, two of \(size)") { times in
            for _ in 0..<times { blackHole(try nothing(a, b) as Int) }
        }
    }

    let (a, b) = (try SharedBuffer<Int>(sharedMemoryCapacity: 128), try SharedBuffer<Int>(sharedMemoryCapacity: 128))
    let awaited = Way("worker, awaited") { times in
        try wait { for _ in 0..<times { blackHole(try await nothing.function(a, b) as Int) } }
    }
    let prepared = try nothing.function.prepared(a, b, returning: Int.self)
    let ready = Way("worker, prepared") { times in
        for _ in 0..<times { blackHole(try prepared.callAndWait()) }
    }
    let bounded = Way("worker, with a deadline") { times in
        let nothing = nothing.timeout(.seconds(60))
        for _ in 0..<times { blackHole(try nothing(a, b) as Int) }
    }
    compare(
        "round trip",
        [
            bare, try shared("1 KiB", 1 << 10), try shared("1 MiB", 1 << 20), try shared("1 GiB", 1 << 30), ready,
            bounded, awaited,
        ])

    func list(_ count: Int) -> Way {
        let values = (0..<count).map(Double.init)
        return Way("worker, a list of \(count)") { times in
            for _ in 0..<times { blackHole(try length(values) as Int) }
        }
    }
    compare("round trip of a list of 1000", times: 100, [bare, list(1000)])
    compare("round trip of a list of 1000000", times: 1, in: .microseconds, [bare, list(1_000_000)])

    let python = try PythonExecutable.automatic.locate()
    let child = Way("child") { _ in
        let ends = makeSockets(SOCK_STREAM)
        let process = start(python, fixtures + "/trips.py", "reply", ends.1)
        let request = Array(#"{"a": 1, "b": 2}"#.utf8)
        send(ends.0, request, request.count, 0)
        shutdown(ends.0, Int32(SHUT_WR))
        var answer = [UInt8](repeating: 0, count: 64)
        precondition(recv(ends.0, &answer, answer.count, 0) > 0)
        close(ends.0)
        waitpid(process, nil, 0)
    }
    compare("round trip of JSON by a child", times: 1, in: .microseconds, duration: .seconds(60), [bare, child])
}

/// Runs asynchronous code, and waits for it on this thread.
private func wait(_ body: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    Task {
        do { try await body() } catch { fatalError("\(error)") }
        done.signal()
    }
    done.wait()
}

/// A Python that sends back what it gets.
private final class PingPong {
    private let socket: Int32

    init(_ script: String) throws {
        let ends = makeSockets(SOCK_SEQPACKET)
        socket = ends.0
        _ = start(try PythonExecutable.automatic.locate(), script, "echo", ends.1)
        run()
    }

    deinit { close(socket) }

    func run() {
        var packet = (UInt64(1), UInt64(2))
        withUnsafeMutableBytes(of: &packet) { packet in
            precondition(send(socket, packet.baseAddress, 16, Int32(MSG_NOSIGNAL)) == 16)
            precondition(recv(socket, packet.baseAddress, 16, 0) == 16)
        }
    }
}

private func makeSockets(_ type: __socket_type) -> (Int32, Int32) {
    var ends: [Int32] = [0, 0]
    precondition(socketpair(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
}

/// Starts a Python script whose standard input and output are a socket, which is closed here.
private func start(_ python: String, _ script: String, _ command: String, _ socket: Int32) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, socket, 0)
    posix_spawn_file_actions_adddup2(&actions, socket, 1)
    let words: [String] = [python, "-I", "-X", "utf8", script, command]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    precondition(posix_spawn(&process, python, &actions, nil, &arguments, environ) == 0)
    close(socket)
    return process
}
