import Glibc
import Logging
import PythonBridge
import Testing

@testable import PythonWorkers

/// Workers that send what no worker sends, and programs that are none: each costs its own call a typed error, in time, and nothing stays behind.
@Suite(.serialized)
struct HostileWorkerTests {
    let workers: PythonWorkers

    init() {
        var configuration = WorkerConfiguration.test()
        configuration.logger = .silent
        workers = PythonWorkers(configuration)
    }

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "hostile").blocking }

    /// A packet of the worker's, in hexadecimal digits.
    private func packet(_ kind: WorkerMessage, _ count: Int, _ body: (inout MessagePackWriter) -> Void) -> String {
        var writer = MessagePackWriter()
        writer.appendArray(count: count)
        writer.append(kind.rawValue)
        body(&writer)
        return Self.digits(writer.bytes)
    }

    private static func digits(_ bytes: [UInt8]) -> String {
        bytes.reduce(into: "") { text, byte in
            text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
    }

    /// That the worker was ended, and the pool goes on.
    private func expectReplacement(of process: Int32) throws {
        #expect(try function("process")() != process)
    }

    private func process() throws -> Int32 { try function("process")() }

    // MARK: - Packets

    private func expectMisbehaviour(
        _ reason: String, _ name: String = "say", sourceLocation: SourceLocation = #_sourceLocation,
        _ call: (BlockingWorkerFunction) throws(WorkerError) -> Void
    ) throws {
        let process = try process()
        let start = ContinuousClock.now
        let error = failure { () throws(WorkerError) in try call(function(name).timeout(.seconds(20))) }
        guard case .misbehaved(let found) = error else {
            Issue.record("threw \(String(describing: error))", sourceLocation: sourceLocation)
            return
        }
        #expect(found == reason, sourceLocation: sourceLocation)
        #expect(.now - start < .seconds(10), sourceLocation: sourceLocation)
        try expectReplacement(of: process)
    }

    @Test(arguments: [
        ("", "it closed its socket"), ("c1", "no list"), ("90", "a packet ends too early"),
        ("9263", "a packet of an unknown kind"), ("9301c000", "a packet of an unknown kind"),
        ("ddffffffff01", "a packet of an unknown kind"), ("920163", "a result that nobody asked for"),
        ("9201c0c0", "a packet that goes on behind its end"), ("93080005", "a packet in memory that there is not"),
        ("93042a90", "a call of a function that there is not"), ("930500ff", "no length"), ("9305ff00", "no length"),
        ("9305cfffffffffffffffff00", "an integer out of range"), ("940601a0", "a packet ends too early"),
        ("9402ddffffffff", "a packet ends too early"), ("9402909000", "no exception"),
        ("9107", "a packet of an unknown kind"),
        ("9200a133", "a packet of an unknown kind"),
    ])
    func `a packet that makes no sense ends the worker`(packet: String, reason: String) throws {
        try expectMisbehaviour(reason) { (say) throws(WorkerError) in try say(packet) }
    }

    @Test
    func `a packet that is too long, and an empty one, end the worker`() throws {
        try expectMisbehaviour("a packet of 65537 bytes", "say_more_than_a_packet") { (say) throws(WorkerError) in
            try say()
        }
        try expectMisbehaviour("it closed its socket", "say_nothing") { (say) throws(WorkerError) in try say() }
        try expectMisbehaviour("it closed its socket", "close_socket") { (close) throws(WorkerError) in try close() }
    }

    /// A view of the test's buffer of 100 doubles, but for what is wrong with it.
    struct View: CustomTestStringConvertible {
        var offset = 0
        var letters = "d"
        var shape = [100]
        var strides = [8]
        let message: String

        var testDescription: String { "\(letters) \(offset) \(shape) \(strides)" }
    }

    @Test(arguments: [
        View(offset: 8, message: "792 bytes hold"), View(offset: -8, message: "there is no byte -8"),
        View(offset: 4, shape: [99], message: "misaligned"), View(offset: .max, message: "there is no byte"),
        View(offset: .min, message: "there is no byte"), View(shape: [101], message: "800 bytes hold"),
        View(shape: [.max], message: "800 bytes hold"),
        View(shape: [.max, 1], strides: [8, 8], message: "2 dimensions"),
        View(shape: [-1], message: "a length of -1 is negative"), View(shape: [2, 50], message: "no view"),
        View(shape: [50, 50], strides: [8, 8], message: "dimensions"),
        View(shape: [100], strides: [-8], message: "a stride of -8 bytes"),
        View(shape: [2], strides: [.min], message: "a stride of -9223372036854775808 bytes"),
        View(shape: [2], strides: [7], message: "a stride"),
        View(letters: "q", message: "elements of format 'q'"), View(letters: "", message: "elements of format ''"),
        View(letters: ">d", message: "foreign byte order"),
    ])
    func `a view that leaves its memory is refused`(view: View) throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 100)
        let number = try #require(buffer.storage.mapping?.number)
        let error = failure { () throws(WorkerError) in
            let _: SharedBuffer<Double> = try function("say")(packet(of: view, number), buffer)
        }
        let text = "\(try #require(error))"
        #expect(text.contains(view.message))
        #expect(try function("add")(1, 2) == 3)
    }

    @Test(arguments: [
        View(shape: [2, 3], strides: [1 << 62, -1 << 62], message: "an array outside of its memory"),
        View(shape: [2, 2], strides: [1 << 62, -1 << 62], message: "an array outside of its memory"),
        View(shape: [2, 2], strides: [.max, -1], message: "an array outside of its memory"),
        View(offset: .max, shape: [2], strides: [1], message: "there is no byte"),
        View(offset: 400, shape: [2, 400], strides: [1, 1], message: "400 bytes hold"),
        View(offset: 400, shape: [402], strides: [-1], message: "there is no byte -1"),
        View(shape: [1 << 40, 1 << 40], strides: [0, 0], message: "too large"),
    ])
    func `an array that leaves its memory is refused`(view: View) throws {
        let buffer = try SharedBuffer<UInt8>(sharedMemoryCapacity: 800)
        let number = try #require(buffer.storage.mapping?.number)
        var view = view
        view.letters = "B"
        let error = failure { () throws(WorkerError) in
            let _: SharedArray<UInt8> = try function("say")(packet(of: view, number), buffer)
        }
        let text = "\(try #require(error))"
        #expect(text.contains(view.message))
        #expect(try function("add")(1, 2) == 3)
    }

    @Test
    func `memory of another worker's call is not to be had`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 100)
        let other = try SharedBuffer<Double>(sharedMemoryCapacity: 100)
        let number = try #require(other.storage.mapping?.number)
        let error = failure { () throws(WorkerError) in
            let _: SharedBuffer<Double> = try function("say")(packet(of: View(message: ""), number), buffer)
        }
        #expect("\(try #require(error))".contains("memory that Swift has given back"))
    }

    private func packet(of view: View, _ number: UInt64) -> String {
        packet(.result, 2) { writer in
            writer.append(.view) { writer in
                writer.appendArray(count: 6)
                writer.append(number)
                writer.append(view.offset)
                writer.append(view.letters)
                writer.append(false)
                for lengths in [view.shape, view.strides] {
                    writer.appendArray(count: lengths.count)
                    for length in lengths { writer.append(length) }
                }
            }
        }
    }

    @Test
    func `a reply to nothing costs no more than the call that gets it`() throws {
        #expect(try function("say_twice")(7) == 7)
        let error = failure { () throws(WorkerError) in let _: String = try function("add")("a", "b") }
        guard case .misbehaved = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(try function("add")("a", "b") == "ab")
    }

    // MARK: - Memory

    @Test
    func `a packet in memory is no longer than what was written there`() throws {
        let record = packet(.log, 4) { writer in
            writer.append(1)
            writer.append("")
            writer.append("")
        }
        for (allocated, claimed) in [(100, 101), (100, -1), (100, Int.max), (1 << 40, 1 << 40)] {
            try expectMisbehaviour("a packet in memory that there is not", "say_in_memory") {
                (say) throws(WorkerError) in
                try say(record, allocated, claimed)
            }
        }
        try expectMisbehaviour("a packet of an unknown kind", "say_in_memories") { (say) throws(WorkerError) in
            try say(1000)
        }
    }

    @Test
    func `more memory than there is raises in Python`() throws {
        for length in [1 << 62, Int.max] {
            let error = failure { () throws(WorkerError) in try function("ask_for")(length) }
            guard case .python(.exception(let exception)) = error else {
                Issue.record("threw \(String(describing: error))")
                return
            }
            #expect(exception.type == "MemoryError")
        }
        try expectMisbehaviour("no length", "ask_for") { (ask) throws(WorkerError) in try ask(-1) }
    }

    @Test
    func `what a worker is given ends with its call`() async {
        await #expect(processExitsWith: .success) {
            let workers = PythonWorkers(.test())
            let function = workers.function("ask_without_end", in: "hostile").blocking
            _ = try function(4096) as [String]
            let before = Self.descriptorCount
            let answer: [String] = try function(4096)
            #expect(Int(answer[0]) ?? 0 > 100)
            #expect(Self.descriptorCount <= before + 2)
        }
    }

    @Test
    func `a worker that asks for ever more memory does not overflow the counts`() async {
        await #expect(processExitsWith: .success) {
            let (_, ledger) = MemoryLedger.recording {
                for _ in 0..<3 { MemoryLedger.countOnDemand(byteCount: .max) }
            }
            precondition(ledger.bytesOnDemand == .max &* 3)
        }
    }

    // MARK: - Descriptors, floods, and ends

    private static var descriptorCount: Int {
        var count = 0
        for number in Int32(0)..<Int32(sysconf(Int32(_SC_OPEN_MAX))) where fcntl(number, F_GETFD) >= 0 { count += 1 }
        return count
    }

    @Test
    func `descriptors that a worker sends do not pile up`() throws {
        _ = try process()
        let before = Self.descriptorCount
        try function("send_descriptors")(50)
        #expect(Self.descriptorCount <= before + 2)
    }

    @Test(arguments: ["log_without_end", "print_without_end", "leave_group"])
    func `a worker that does not listen is ended at its deadline`(name: String) throws {
        let process = try process()
        let start = ContinuousClock.now
        let error = failure { () throws(WorkerError) in try function(name).timeout(.seconds(1))() }
        guard case .deadlineExceeded = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(.now - start < .seconds(6))
        try expectReplacement(of: process)
        while kill(process, 0) == 0, .now - start < .seconds(9) { usleep(20_000) }
        #expect(kill(process, 0) != 0)
    }

    @Test(arguments: ["log_without_end", "print_without_end", "leave_group"])
    func `a worker that does not listen is ended when its task is cancelled`(name: String) async throws {
        let process = try process()
        let function = function(name)
        let task = Task { await failure { () async throws(WorkerError) in try await function.function() } }
        try await Task.sleep(for: .milliseconds(500))
        let start = ContinuousClock.now
        task.cancel()
        guard case .cancelled = await task.value else {
            Issue.record("it was not cancelled")
            return
        }
        #expect(.now - start < .seconds(6))
        try expectReplacement(of: process)
    }

    @Test
    func `calls within callbacks end before the stack does`() throws {
        let recurse = function("recurse")
        let deepest = Lock(0)
        let callback = Lock<PythonCallback?>(nil)
        let go = PythonCallback { (depth: Int) throws -> Int in
            deepest.withLock { $0 = max($0, depth) }
            guard let callback = callback.withLock({ $0 }) else { return 0 }
            return try recurse(callback, depth + 1)
        }
        callback.withLock { $0 = go }
        defer { callback.withLock { $0 = nil } }
        let error = failure { () throws(WorkerError) in let _: Int = try recurse(go, 1) }
        #expect("\(try #require(error))".contains("calls within callbacks"))
        #expect(deepest.withLock { $0 } == Worker.deepestCall)
        #expect(try function("add")(1, 2) == 3)
    }

    @Test
    func `a time without end is one`() throws {
        #expect(try function("add").timeout(.seconds(Int64.max))(1, 2) == 3)
    }

    @Test
    func `much memory that is given back during a call is unmapped in time`() throws {
        var buffers: [SharedBuffer<UInt8>] = []
        // 7282 numbers of nine bytes are more than a packet holds.
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        for _ in 0..<8000 { buffers.append(try SharedBuffer(sharedMemoryCapacity: 1)) }
        #expect(try function("mapped")(buffers) == 8000)
        let busy = function("busy")
        let thread = try WorkerThreads(count: 1)
        let isDone = Monitor(false)
        thread.add {
            try? busy(1.0)
            isDone.change { $0 = true }
        }
        usleep(300_000)
        buffers = []
        _ = isDone.wait { $0 ? () : nil }
        #expect(try function("mapped")() == 0)
    }

    // MARK: - Programs that are no workers

    private func impostor(_ kind: String) -> PythonWorkers {
        PythonWorkers(
            WorkerConfiguration(
                python: .program(Checkout.directory + "/Tests/Fixtures/impostor.py"),
                environmentVariables: ["IMPOSTOR": kind], startTimeout: .seconds(2), logger: .silent))
    }

    @Test(arguments: [
        ("another packet", "it does not answer as a worker does"),
        ("no MessagePack", "it does not answer as a worker does"),
        ("a packet that is too long", "it does not answer as a worker does"),
        ("its own end", "the worker exited with status 3"),
        ("a closed socket", "it does not answer as a worker does"),
        ("silence", "it is not ready after the time that it has to start"),
    ])
    func `a program that is no worker is not started`(kind: String, reason: String) throws {
        let workers = impostor(kind)
        let start = ContinuousClock.now
        let error = failure { () throws(WorkerError) in try workers.function("add", in: "hostile").blocking(1, 2) }
        guard case .notStarted(let found) = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(found == reason)
        #expect(.now - start < .seconds(5))
        workers.shutDownAndWait()
        #expect(workers.processIdentifiers.isEmpty)
    }

    @Test
    func `a worker that never reads is ended at the deadline`() throws {
        let workers = impostor("a worker that reads nothing")
        let buffers = try (0..<500).map { _ in try SharedBuffer<Int>(sharedMemoryCapacity: 1) }
        let start = ContinuousClock.now
        let error = failure { () throws(WorkerError) in
            try workers.function("add", in: "hostile").blocking.timeout(.seconds(2))(buffers)
        }
        guard case .deadlineExceeded = error else {
            Issue.record("threw \(String(describing: error))")
            return
        }
        #expect(.now - start < .seconds(7))
        workers.shutDownAndWait()
    }
}

extension Logger {
    /// Writes nothing.
    static let silent = Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() })
}
