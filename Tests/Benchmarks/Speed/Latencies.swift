import Benchmark
import CallPathInC
import Glibc
import Outliers
import PythonBridge
import Synchronization

/// Short calls at random times while another thread keeps Python busy: how long each takes.
func addLatencies(of two: PythonFunction, in python: PythonInterpreter) throws {
    try python.run(
        """
        def spin():
            for _ in range(20_000_000): pass
        def roots(samples, result):
            import numpy
            numpy.sqrt(samples, out=numpy.asarray(result))
        """)
    let ways = [
        Way("C, ensured") { _ in blackHole(c_call_ensured()) },
        Way("C, kept state") { blackHole(c_call_numbers($0)) },
        Way("bridge") { _ in blackHole(try two(1, 2) as Int) },
    ]

    /// `makeWork` makes what the other thread does over and over.
    func add(_ load: String, _ makeWork: @escaping @Sendable () throws -> () throws -> Void) {
        let other = Repetition(makeWork)
        Benchmark(
            "latency, \(load)",
            configuration: configuration(ways.map { $0.time(.nanoseconds) }, duration: .seconds(20)),
            closure: { benchmark in
                c_use_this_thread()
                for way in ways.shuffled() {
                    usleep(.random(in: 0..<2000))
                    benchmark.measurement(way.time(.nanoseconds), Int(try way.measure(.nanoseconds)))
                }
            }, setup: { other.start() }, teardown: { other.stop() })
    }

    add("Python is idle") { { usleep(1000) } }
    add("detections") {
        let detector = OutlierDetector(engine: try EmbeddedEngine(python: python))
        let samples = tenMillionSamples()
        return { blackHole(try detector.detect(samples)) }
    }
    add("one long numpy call") {
        let samples = try SharedBuffer(contentsOf: tenMillionSamples())
        let result = try SharedBuffer<Double>(capacity: samples.count)
        let roots = try python.function("roots", in: "__main__").prepared(samples, result)
        return { try roots() }
    }
    add("Python code") {
        let spin = try python.function("spin", in: "__main__")
        return { try spin() }
    }
}

/// Something that a thread of its own does over and over.
private final class Repetition: Sendable {
    private let makeWork: @Sendable () throws -> () throws -> Void
    private let thread = Mutex<Thread?>(nil)
    private let isDone = Atomic(false)

    init(_ makeWork: @escaping @Sendable () throws -> () throws -> Void) { self.makeWork = makeWork }

    func start() {
        let thread = Thread {
            let work = try self.makeWork()
            while !self.isDone.load(ordering: .relaxed) { try work() }
        }
        self.thread.withLock { $0 = thread }
    }

    func stop() {
        isDone.store(true, ordering: .relaxed)
        thread.withLock { $0?.join() }
    }
}
