import Glibc
import OutlierDetection
import Outliers
import PythonBridge
import Synchronization
import Testing

/// A detection on several threads, against the same on one.
@Suite struct ThreadsTests {
    private struct Refused: Error, Equatable {
        var index: Int?
    }

    private struct Outcome: Equatable {
        var moments: [UInt64] = []
        var indices: [Int] = []
    }

    private func detection(_ threads: Int, omits: Bool = true) -> Detection<Refused> {
        Detection(threads: threads, samplesPerThread: 1000, refuse: omits ? nil : { index, _ in Refused(index: index) })
    }

    private func outcome(
        _ samples: StridedView<some SampleElement>, threads: Int, threshold: Double = 2
    ) throws -> Outcome {
        let (mean, standardDeviation) = try detection(threads).moments(of: samples) { _ throws(Refused) in }
        let indices = Lock<[Int]>([])
        try detection(threads).search(samples, threshold: threshold) { _ throws(Refused) in
        } found: { found throws(Refused) in
            indices.withLock { for index in found.indices { $0.append(found[index]) } }
        }
        return Outcome(moments: [mean.bitPattern, standardDeviation.bitPattern], indices: indices.withLock { $0 })
    }

    /// Five steps of four blocks, and part of one; a drift gives each block moments of its own.
    private static let count = 330_003

    private static func series<Element>(_ element: (Double) -> Element) -> [Element] {
        var state: UInt64 = 1
        return (0..<count).map { index in
            // Knuth's linear congruential generator (MMIX).
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let uniform = Double(state >> 11) / Double(1 << 53)
            return element(uniform * uniform * uniform + Double(index) * 1e-6)
        }
    }

    @Test func `moments and indices are the same to the last bit`() throws {
        func check<Element: SampleElement>(_ samples: StridedView<Element>) throws {
            let one = try outcome(samples, threads: 1)
            #expect(one.indices.count > 5_000)
            for threads in [2, 3] { #expect(try outcome(samples, threads: threads) == one) }
        }
        try check(StridedView(SharedBuffer(sharing: Self.series { $0 })))
        try check(StridedView(SharedBuffer(sharing: Self.series { Int16($0 * 10_000) })))
        let floats = SharedBuffer(sharing: Self.series { Float($0) })
        try check(StridedView(of: floats, from: Self.count - 1, by: -1, count: Self.count))
    }

    @Test func `where all are outliers, or many are no numbers, too`() throws {
        var samples = Self.series { $0 }
        for index in stride(from: 5, to: samples.count, by: 7) { samples[index] = index % 2 == 0 ? .nan : .infinity }
        let view = StridedView(SharedBuffer(sharing: samples))
        let one = try outcome(view, threads: 1, threshold: 0)
        #expect(one.indices == samples.indices.filter { samples[$0].isFinite })
        #expect(try outcome(view, threads: 3, threshold: 0) == one)
    }

    @Test(arguments: [0, 1, 999, 2000, 65_536, 65_537])
    func `few samples need no threads`(count: Int) throws {
        let samples = StridedView(SharedBuffer(sharing: Array(Self.series { $0 }.prefix(count))))
        #expect(try outcome(samples, threads: 8) == outcome(samples, threads: 1))
    }

    @Test func `the first bad sample is named, whatever thread finds it`() throws {
        var samples = [Float](repeating: 1, count: Self.count)
        for first in [310_000, 200_001, 70_000, 0] {
            for bad in stride(from: first, to: samples.count, by: 9_000) {
                samples[bad] = bad % 3 == 0 ? .nan : .infinity
            }
            let view = StridedView(SharedBuffer(sharing: samples))
            for _ in 0..<5 {
                #expect(throws: Refused(index: first)) {
                    try detection(3, omits: false).moments(of: view) { _ throws(Refused) in }
                }
            }
        }
    }

    @Test func `the caller is told on its own thread, and of all samples`() throws {
        let samples = StridedView(SharedBuffer(sharing: Self.series { $0 }))
        let caller = pthread_self()
        var told: [Int] = []
        try detection(3).search(samples, threshold: 2) { count throws(Refused) in
            #expect(pthread_equal(caller, pthread_self()) != 0)
            told.append(count)
        } found: { _ throws(Refused) in
        }
        #expect(told.allSatisfy { $0 > 0 })
        #expect(told.reduce(0, +) == 2 * Self.count)
    }

    /// The threads of this process.
    private static func threads() -> Int {
        guard let folder = unsafe opendir("/proc/self/task") else { return 0 }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        return count
    }

    @Test func `what ends it ends its threads too, and is thrown`() async {
        await #expect(processExitsWith: .success) {
            let tests = ThreadsTests()
            let samples = StridedView(SharedBuffer(sharing: Self.series { $0 }))
            let before = Self.threads()
            for step in 0..<12 {
                var told = 0
                #expect(throws: Refused(index: step)) {
                    try tests.detection(3).search(samples, threshold: 2) { count throws(Refused) in
                        told += count
                        if step.isMultiple(of: 2) || told > samples.count { throw Refused(index: step) }
                    } found: { _ throws(Refused) in
                    }
                }
                let takes = Atomic(0)
                #expect(throws: Refused(index: step)) {
                    try tests.detection(3).search(samples, threshold: 2) { _ throws(Refused) in
                    } found: { _ throws(Refused) in
                        if takes.add(1, ordering: .relaxed).newValue == 1 + step % 4 { throw Refused(index: step) }
                    }
                }
                #expect(takes.load(ordering: .relaxed) == 1 + step % 4)
            }
            // One that has been joined may be listed for a moment.
            for _ in 0..<1000 where Self.threads() > before { usleep(10_000) }
            #expect(Self.threads() == before)
        }
    }

    @Test func `it goes on with what threads the system has`() async {
        await #expect(processExitsWith: .success) {
            let samples = StridedView(SharedBuffer(sharing: Self.series { $0 }))
            let expected = try ThreadsTests().outcome(samples, threads: 1)
            // More than the address space has room for.
            var attributes = pthread_attr_t()
            unsafe pthread_attr_init(&attributes)
            unsafe pthread_attr_setstacksize(&attributes, 1 << 47)
            typealias SetDefault = @convention(c) (UnsafePointer<pthread_attr_t>) -> Int32
            let setDefault = unsafe unsafeBitCast(dlsym(nil, "pthread_setattr_default_np"), to: SetDefault.self)
            guard unsafe setDefault(&attributes) == 0 else { fatalError("no such stack") }
            #expect(try ThreadsTests().outcome(samples, threads: 4) == expected)
        }
    }

    // MARK: The engines

    @Test(arguments: [0, -1, .min])
    func `less than one thread is refused`(threads: Int) {
        let error = #expect(throws: OutlierError.self) { try DetectionOptions(threads: threads) }
        guard case .invalidThreads(threads) = error else {
            Issue.record("unexpected error \(String(describing: error))")
            return
        }
        #expect(error?.description == "\(threads) threads are no number from 1 up")
    }

    @Test func `native detects on the threads that it is given, and tells how far it is`() throws {
        let samples = StridedView(SharedBuffer(sharing: ProgressTests.samples))
        let expected = Array(stride(from: 7, to: samples.count, by: 100_003))
        let told = Lock<[Int]>([])
        for threads in [2, 100] {
            let detector = try OutlierDetector(engine: .native, options: DetectionOptions(threads: threads))
            #expect(Array(try detector.detect(samples)) == expected)
            let found = try detector.detect(samples) { done, total in
                guard total == 2 * samples.count else { throw Refused() }
                told.withLock { $0.append(done) }
            }
            #expect(Array(found) == expected)
            let done = told.withLock { done in
                defer { done = [] }
                return done
            }
            #expect(done.last == 2 * samples.count)
            #expect(zip(done, done.dropFirst()).allSatisfy { $0 < $1 })
            #expect(done.count >= 3)
        }
    }

    @Test func `Python is told of threads only where there are several`() async {
        await #expect(processExitsWith: .success) {
            let python = try PythonInterpreter.start(Reference.configuration)
            try python.run(
                """
                import pyoutliers
                given = []
                def spy(function):
                    def spied(*arguments, threads=None, **keywords):
                        given.append(threads)
                        return function(*arguments, **keywords)
                    return spied
                for name in ['detect', 'detect_into', 'moments']: setattr(pyoutliers, name, spy(getattr(pyoutliers, name)))
                """)
            let samples = StridedView(SharedBuffer(sharing: makeTestData()))
            for engine in [OutlierDetector.Engine.embedded, .copying] {
                for threads in [1, 2] {
                    let detector = try OutlierDetector(
                        engine: engine, options: DetectionOptions(threshold: 2, threads: threads),
                        python: Reference.configuration)
                    guard Array(try detector.detect(samples)) == [7, 113, 835] else { fatalError("a wrong answer") }
                    _ = try detector.detect(samples) { _, _ in }
                    _ = try detector.moments(of: samples)
                }
            }
            let given: String = try python.evaluate("repr(given)")
            guard given == "[None, None, None, 2, 2, 2, None, None, None, 2, 2, 2]" else { fatalError(given) }
        }
    }
}
