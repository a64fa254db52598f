import Logging
import PythonBridge
import Testing

@testable import PythonWorkers

/// What workers print, log and raise.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerOutputTests {
    private let records = Records()
    private let workers: PythonWorkers

    init() {
        var configuration = WorkerConfiguration.test()
        configuration.logger = Logger(label: "workers") { [records] _ in Handler(records: records) }
        configuration.logger.logLevel = .debug
        workers = PythonWorkers(configuration)
    }

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "working").blocking }

    /// A level, a text and the name of Python's logger.
    private struct Record: Equatable {
        let level: Logger.Level
        let text: String
        var logger: String?
    }

    private final class Records: Sendable {
        let all = Monitor<[Record]>([])
        let workers = Monitor<Set<String>>([])

        func contains(_ records: [Record]) -> Bool { all.withLock { all in records.allSatisfy { all.contains($0) } } }
    }

    private struct Handler: LogHandler {
        let records: Records
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        init(records: Records) { self.records = records }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let logger = event.metadata?["logger"].map { "\($0)" }
            records.all.withLock { $0.append(Record(level: event.level, text: "\(event.message)", logger: logger)) }
            records.workers.withLock { _ = $0.insert(event.metadata?["worker"].map { "\($0)" } ?? "") }
        }
    }

    @Test
    func `log records arrive with their level, their logger and the worker's number before the call is over`() throws {
        let levels: [(Int, Logger.Level)] = [
            (10, .debug), (20, .info), (30, .warning), (40, .error), (50, .critical), (35, .warning),
        ]
        for (number, level) in levels {
            try function("log")(number, "at \(number)")
            #expect(records.contains([Record(level: level, text: "at \(number)", logger: "working.part")]))
        }
        let process: Int = try function("process")()
        #expect(records.workers.withLock { $0 } == ["\(process)"])
        try function("log")(5, "too little")
        #expect(!records.all.withLock { $0.contains { $0.text == "too little" } })
    }

    @Test
    func `a long record is cut, and many are not lost`() throws {
        try function("log")(20, String(repeating: "x", count: 100_000))
        let longest = records.all.withLock { $0.map(\.text.count).max() }
        #expect(longest ?? 0 > 5000)
        for number in 0..<1000 { try function("log")(20, "\(number)") }
        #expect(records.contains((0..<1000).map { Record(level: .info, text: "\($0)", logger: "working.part") }))
    }

    @Test
    func `what is printed arrives line by line`() throws {
        try function("write")("one\ntwo\nthree", false)
        try function("write")("bad\nworse\n", true)
        let lines =
            ["one", "two"].map { Record(level: .info, text: $0) }
            + ["bad", "worse"].map { Record(level: .warning, text: $0) }
        #expect(eventually { records.contains(lines) })
        try function("write")(" four\n", false)
        #expect(eventually { records.contains([Record(level: .info, text: "three four")]) })
    }

    @Test
    func `the last lines of standard error are in the error of a worker that ends`() throws {
        try function("write")((0..<50).map { "line \($0)\n" }.joined(), true)
        let end = try end { () throws(WorkerError) in try function("leave")(9) }
        #expect(end.standardErrorTail == (30..<50).map { "line \($0)" })
    }

    @Test
    func `what is not text arrives all the same`() throws {
        try function("write")("\u{1}\t\u{FFFD}é🐢\r\n\n", false)
        #expect(eventually { records.contains([Record(level: .info, text: "\u{1}\t\u{FFFD}é🐢\r")]) })
    }

    @Test
    func `a long traceback comes whole`() throws {
        let exception = try exception { () throws(WorkerError) in try function("recurse")(200) }
        #expect(exception.message.count == 200_000)
        #expect(exception.traceback.count > 200_000)
        #expect(exception.traceback.contains("recurse(depth - 1)"))
    }

    @Test
    func `a long chain of causes ends somewhere`() throws {
        let exception = try exception { () throws(WorkerError) in try function("chain")(200) }
        #expect(exception.message == "199")
        #expect(exception.causes.count == 63)
        #expect(exception.causes.first?.message == "198")
    }

    @Test
    func `an exception without words is one all the same`() throws {
        #expect(message { () throws(WorkerError) in try function("raise_unspeakable")() } == "working.Unspeakable")
    }

    @Test
    func `long results come whole`() throws {
        #expect(try function("long_list")(100_000) == Array(0..<100_000))
        #expect(try function("long_texts")(20_000) == (0..<20_000).map { String(repeating: "\($0)", count: 10) })
    }

    @Test
    func `processes of Python's own serve their parent and leave the socket alone`() throws {
        let process: Int = try function("process")()
        #expect(try function("squares_in_processes")(100) == (0..<100).map { $0 * $0 })
        let child: Int = try function("fork_and_return")()
        #expect(child > 0 && child != process)
        #expect(try function("process")() == process)
    }
}
