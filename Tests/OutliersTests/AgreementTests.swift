import Outliers
import PythonBridge
import Testing

@Suite struct AgreementTests {
    /// Compares away from rounding at the threshold.
    private func expectAgreement(_ found: [Int], _ expected: [Int], except atThreshold: [Int], _ who: String) {
        let difference = Set(found).symmetricDifference(expected).subtracting(atThreshold)
        #expect(difference.isEmpty, "\(who) differ at \(difference.sorted().prefix(10))")
        #expect(found == found.sorted())
    }

    @Test(arguments: 0..<240)
    func `all engines agree with numpy's one-liner and with scipy's zscore`(seed: Int) throws {
        let samples = try Reference.series(seed: seed)
        let threshold = [2.0, 2.0, 2.5, 3.0, 1.0][seed % 5]
        let atThreshold: [Int] = try Reference.function("at_threshold")(.lending(samples), threshold)
        // A process is started for each detection: of one series in seven, which are of all shapes and thresholds.
        for engine in OutlierDetector.Engine.allCases where engine != .subprocess || seed.isMultiple(of: 7) {
            let found = try Reference.detector(engine, threshold: threshold).detect(samples)
            for reference in ["one_liner", "zscore"] {
                let expected: [Int] = try Reference.function(reference)(.lending(samples), threshold)
                expectAgreement(found, expected, except: atThreshold, "\(engine) and \(reference)")
            }
        }
    }

    @Test func `the random series are of many shapes and their answers are not all empty`() throws {
        let series = try (0..<240).map { try Reference.series(seed: $0) }
        #expect(series.contains { $0.isEmpty } && series.contains { $0.count == 1 })
        #expect(series.contains { $0.count > 16_384 })
        let withOutliers = try series.filter { try !Reference.detector(.native).detect($0).isEmpty }
        #expect(withOutliers.count > 80)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `the test data have the outliers that were put there`(engine: OutlierDetector.Engine) throws {
        for _ in 0..<20 { #expect(try Reference.detector(engine).detect(makeTestData()) == [7, 113, 835]) }
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `Python's test data, read as an array, have the same outliers`(engine: OutlierDetector.Engine) throws {
        let python = try PythonInterpreter.start(Reference.configuration)
        let samples: [Double] = try python.function("gen_testdata", in: "pyoutliers")()
        #expect(samples.count == 1000)
        #expect(try Reference.detector(engine).detect(samples) == [7, 113, 835])
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `a sample that is exactly at the threshold is no outlier`(engine: OutlierDetector.Engine) throws {
        // Four zeros and a one: the one is exactly two standard deviations from the mean.
        #expect(try Reference.detector(engine).detect([0.0, 0, 0, 0, 1]).isEmpty)
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `empty, single and constant series have no outliers`(engine: OutlierDetector.Engine) throws {
        let detector = try Reference.detector(engine)
        for samples in [[], [5.0], [Double](repeating: 0.1, count: 20_000), [1e300, 1e300]] {
            #expect(try detector.detect(samples).isEmpty)
        }
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `finite samples whose squares overflow have no outliers`(engine: OutlierDetector.Engine) throws {
        #expect(try Reference.detector(engine).detect([1e200, -1e200, 0, 1, 2]).isEmpty)
    }

    @Test(arguments: [OutlierDetector.Engine.embedded, .native, .worker])
    func `a sample far from many does not overflow`(engine: OutlierDetector.Engine) throws {
        // The square of how far it is, times how many the others are, would.
        let samples = (0..<1 << 20).map { $0.isMultiple(of: 2) ? 1e149 : -1e149 } + [3e152]
        #expect(try Reference.detector(engine).detect(samples) == [1 << 20])
    }

    @Test(arguments: OutlierDetector.Engine.allCases)
    func `deviations whose squares underflow do not overrun the indices`(engine: OutlierDetector.Engine) throws {
        // The standard deviation rounds to zero, so every sample but the mean is further away than that.
        let samples = (0..<1000).map { $0.isMultiple(of: 2) ? 1e-200 : -1e-200 }
        let expected: [Int] = try Reference.function("one_liner")(.lending(samples), 2.0)
        #expect(try Reference.detector(engine).detect(samples) == expected)
    }

    @Test(arguments: [OutlierDetector.Engine.copying, .native, .subprocess])
    func `the moments are numpy's`(engine: OutlierDetector.Engine) throws {
        let python = try PythonInterpreter.start(Reference.configuration)
        for seed in 0..<(engine == .subprocess ? 12 : 48) {
            let samples = try Reference.series(seed: seed)
            guard samples.count > 1 else { continue }
            let moments = try Reference.detector(engine).moments(of: StridedView(SharedBuffer(sharing: samples)))
            let mean: Double = try python.function("mean", in: "numpy")(.lending(samples))
            let deviation: Double = try python.function("std", in: "numpy")(.lending(samples))
            let rounding = samples.lazy.map(\.magnitude).max()! * 1e-14
            #expect(abs(moments.mean - mean) <= rounding)
            #expect(abs(moments.standardDeviation - deviation) <= max(deviation * 1e-9, rounding))
        }
    }
}
