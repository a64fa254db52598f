import Outliers
import PythonBridge
import Testing

/// What a progress was told.
private final class Told: Sendable {
    private let state = Lock<[(done: Int, total: Int)]>([])

    var calls: [(done: Int, total: Int)] { state.withLock { $0 } }

    @Sendable func add(_ done: Int, _ total: Int) { state.withLock { $0.append((done, total)) } }
}

private struct Stopped: Error, Equatable {
    let done: Int
}

/// Finds nothing, by one pass that it does not tell of.
private struct SilentEngine: OutlierEngine {
    func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> { SharedBuffer(sharing: []) }

    func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments { Moments(mean: 0, standardDeviation: 1) }
}

@Suite struct ProgressTests {
    /// Those that tell on the way. The others do at the end.
    static let reporting = OutlierDetector.Engine.allCases.filter { $0 != .subprocess }

    /// Enough for three calls in each pass.
    static let samples: [Double] = {
        var samples = [Double](repeating: 1, count: 5 << 19)
        for index in stride(from: 7, to: samples.count, by: 100_003) { samples[index] = 50 }
        return samples
    }()

    @Test(arguments: Self.reporting)
    func `two passes are told about once per million samples`(engine: OutlierDetector.Engine) throws {
        let told = Told()
        let samples = Self.samples
        let found = try Reference.detector(engine).detect(samples, progress: told.add)
        #expect(found == Array(stride(from: 7, to: samples.count, by: 100_003)))
        let done = told.calls.map(\.done)
        #expect(told.calls.allSatisfy { $0.total == 2 * samples.count })
        #expect(done.last == 2 * samples.count)
        #expect(zip([0] + done, done).allSatisfy { $0 < $1 && $1 - $0 < 1_100_000 })
        #expect(done.count == 5 || done.count == 6)
    }

    @Test(arguments: Self.reporting, [0, 1, 1000])
    func `little is told of at the end`(engine: OutlierDetector.Engine, count: Int) throws {
        let told = Told()
        let samples = SharedBuffer(sharing: [Float](repeating: 1, count: count))
        #expect(try Reference.detector(engine).detect(StridedView(samples), progress: told.add).isEmpty)
        let last = try #require(told.calls.last)
        #expect(last == (2 * count, 2 * count))
        #expect(told.calls.count <= 2)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `options are heeded`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine, threshold: 1, nonFinite: .omit)
        #expect(try detector.detect([0.0, 0, 0, 5, .nan]) { _, _ in } == [3])
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `what it throws comes back as the same value, at once`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        let told = Told()
        let error = #expect(throws: Stopped.self) {
            try detector.detect(Self.samples) { done, total in
                told.add(done, total)
                throw Stopped(done: done)
            }
        }
        #expect(told.calls.map(\.done) == [error?.done])
        #expect(try detector.detect(makeTestData()) == [7, 113, 835])
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `an error of the bridge that it throws comes back as the same value`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        let error = #expect(throws: PythonError.self) {
            try detector.detect([1.0]) { _, _ in throw PythonError.outOfMemory(byteCount: 17) }
        }
        guard case .outOfMemory(17) = error else {
            Issue.record("unexpected error \(String(describing: error))")
            return
        }
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `samples that are refused are an error of the detection`(engine: OutlierDetector.Engine) throws {
        let told = Told()
        let error = #expect(throws: OutlierError.self) {
            try Reference.detector(engine).detect([1, .nan], progress: told.add)
        }
        guard case .nonFiniteSample(index: 1, value: _) = error else {
            Issue.record("unexpected error \(String(describing: error))")
            return
        }
        #expect(told.calls.isEmpty)
    }

    @Test(arguments: Self.reporting)
    func `it may detect itself`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        let nested = Told()
        let found = try detector.detect(Self.samples) { done, total in
            guard try detector.detect(makeTestData()) == [7, 113, 835] else { throw Stopped(done: done) }
            nested.add(done, total)
        }
        #expect(found.count == Self.samples.count / 100_003 + 1)
        #expect(nested.calls.count >= 5)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `it is released with the detection, whether that fails or not`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        weak var last: Told?
        for samples in [[1.0], [.nan]] {
            let told = Told()
            last = told
            _ = try? detector.detect(samples, progress: told.add)
        }
        #expect(last == nil)
    }

    @Test func `a process of its own tells at the end`() throws {
        let told = Told()
        let found = try Reference.detector(.subprocess).detect(makeTestData(), progress: told.add)
        #expect(found == [7, 113, 835])
        #expect(told.calls.map(\.done) == [1000])
        #expect(told.calls.map(\.total) == [1000])
    }

    @Test func `an engine of one's own tells at least that all is done`() throws {
        let told = Told()
        #expect(try OutlierDetector(engine: SilentEngine()).detect([1.0, 2, 3], progress: told.add).isEmpty)
        #expect(told.calls.map(\.done) == [3])
        #expect(told.calls.map(\.total) == [3])
    }

    @Test func `Python is given a callback only where somebody wants to know`() async {
        await #expect(processExitsWith: .success) {
            let python = try PythonInterpreter.start(Reference.configuration)
            try python.run(
                """
                import pyoutliers
                given = []
                def spy(function):
                    return lambda *samples, **keywords: given.append('progress' in keywords) or function(*samples, **keywords)
                for name in ['detect', 'detect_into']: setattr(pyoutliers, name, spy(getattr(pyoutliers, name)))
                """)
            for engine in [OutlierDetector.Engine.embedded, .copying] {
                let detector = try Reference.detector(engine, threshold: 3)
                _ = try detector.detect([1.0])
                _ = try detector.detect([1.0]) { _, _ in }
            }
            let given: [Bool] = try python.evaluate("given")
            guard given == [false, true, false, true] else { fatalError("\(given)") }
        }
    }
}
