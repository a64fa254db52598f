import Testing

@testable import OutlierDetection

/// The two numbers between which nothing is an outlier, against `abs(sample - mean) > limit` itself.
@Suite struct BoundsTests {
    private func expectExact(_ mean: Double, _ limit: Double) {
        let bounds = Bounds(mean: mean, limit: limit)
        for bound in [bounds.lower, bounds.upper] {
            for sample in [bound, bound.nextDown, bound.nextUp, bound.nextUp.nextUp, bound.nextDown.nextDown, 0, mean] {
                #expect(
                    (sample > bounds.upper || sample < bounds.lower) == (abs(sample - mean) > limit),
                    "\(sample) at mean \(mean) and limit \(limit), bounds \(bounds)")
            }
        }
        #expect(bounds.upper.nextUp - mean > limit && bounds.lower.nextDown - mean < -limit)
    }

    @Test func `they are exact where all is of the same size`() {
        for _ in 0..<2_000 { expectExact(.random(in: -10...10), .random(in: 0...10)) }
    }

    @Test func `they are exact at every size`() {
        let sizes = [
            0, .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-200, 1e-9, 1, 1e9, 1e200, .greatestFiniteMagnitude,
        ]
        for mean in sizes + sizes.map(-) { for limit in sizes { expectExact(mean, limit) } }
    }

    @Test func `they are exact where the sum is next to zero, and more numbers round to it than can be stepped along`()
    {
        for _ in 0..<200 {
            let limit = Double.random(in: 1...2)
            for mean in [limit, -limit, limit.nextUp, -limit.nextUp, -limit * 0.5, limit * (1 + 1e-12)] {
                expectExact(mean, limit)
            }
        }
        let bounds = Bounds(mean: -1, limit: 1)
        #expect(bounds.upper > 1e-17 && bounds.upper < 1e-15)
    }
}
