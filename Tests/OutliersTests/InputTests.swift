import Outliers
import PythonBridge
import Testing

@Suite struct InputTests {
    @Test(arguments: OutlierDetector.Engine.allCases, [Double.nan, .infinity, -.infinity])
    func `a sample that is not finite is an error that names its index`(
        engine: OutlierDetector.Engine, value: Double
    ) throws {
        for index in [0, 7, 9_000, 19_999] {
            var samples = (0..<20_000).map { Double($0 % 17) }
            samples[index] = value
            let error = #expect(throws: OutlierError.self) { try Reference.detector(engine).detect(samples) }
            guard case .nonFiniteSample(index: let found, value: let sample) = error else {
                Issue.record("unexpected error \(String(describing: error))")
                continue
            }
            #expect(found == index)
            #expect(sample.isNaN == value.isNaN && (value.isNaN || sample == value))
        }
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `samples that are not finite can be left out`(engine: OutlierDetector.Engine) throws {
        var samples = makeTestData()
        let clean = samples
        samples.insert(.nan, at: 0)
        samples.insert(.infinity, at: 500)
        samples.append(-.infinity)
        let detector = try Reference.detector(engine, nonFinite: .omit)
        #expect(try detector.detect(samples) == [8, 114, 837])
        let moments = try detector.moments(of: StridedView(SharedBuffer(sharing: samples)))
        let expected = try detector.moments(of: StridedView(SharedBuffer(sharing: clean)))
        #expect(abs(moments.mean - expected.mean) < 1e-12)
        #expect(try detector.detect([Double.nan, .nan]).isEmpty)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `an infinity beside outliers is not one of them`(engine: OutlierDetector.Engine) throws {
        let samples = [Double](repeating: 1, count: 100) + [1000, .infinity, -.infinity]
        #expect(try Reference.detector(engine, nonFinite: .omit).detect(samples) == [100])
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `every type of number is accepted as it is`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        func check<Element: SampleElement & Numeric>(_ type: Element.Type, spike: Element) throws {
            var samples = [Element](repeating: 1, count: 9_000)
            samples[3] = 2
            samples[8_500] = spike
            #expect(try detector.detect(samples) == [8_500])
        }
        try check(Double.self, spike: 1e6)
        try check(Float.self, spike: -1e6)
        try check(Int.self, spike: .max)
        try check(Int64.self, spike: .min)
        try check(Int32.self, spike: .min)
        try check(Int16.self, spike: .max)
        try check(Int8.self, spike: .min)
        try check(UInt.self, spike: .max)
        try check(UInt64.self, spike: .max)
        try check(UInt32.self, spike: .max)
        try check(UInt16.self, spike: .max)
        try check(UInt8.self, spike: .max)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `a column of a table is used where it is`(engine: OutlierDetector.Engine) throws {
        var table = [Double](repeating: 1, count: 3 * 1000)
        table[3 * 421 + 1] = 50
        table[3 * 77 + 2] = 50
        let buffer = SharedBuffer(sharing: table)
        let detector = try Reference.detector(engine)
        #expect(Array(try detector.detect(buffer.strided(from: 1, by: 3, count: 1000))) == [421])
        #expect(Array(try detector.detect(buffer.strided(from: 2, by: 3, count: 1000))) == [77])
        #expect(Array(try detector.detect(buffer.strided(from: 2998, by: -3, count: 1000))) == [999 - 421])
    }

    @Test(arguments: [-1, Double.nan, .infinity, -Double.infinity])
    func `a threshold that is no finite number from 0 up is refused`(threshold: Double) {
        let error = #expect(throws: OutlierError.self) { try DetectionOptions(threshold: threshold) }
        guard case .invalidThreshold = error else {
            Issue.record("unexpected error \(String(describing: error))")
            return
        }
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `a threshold of zero finds all that is not the mean`(engine: OutlierDetector.Engine) throws {
        #expect(try Reference.detector(engine, threshold: 0).detect([1.0, 2, 3]) == [0, 2])
    }

    @Test func `many tasks detect at once, each with its own answer`() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for task in 0..<64 {
                group.addTask {
                    let engine = OutlierDetector.Engine.allCases[task % OutlierDetector.Engine.allCases.count]
                    let spike = 17 * task % 1000
                    var samples = (0..<1000).map { Double($0 % 7) }
                    samples[spike] = 1000
                    return try Reference.detector(engine).detect(samples) == [spike]
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}
