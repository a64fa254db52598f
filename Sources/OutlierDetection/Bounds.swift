/// Between which two numbers, themselves included, a sample is no outlier.
///
/// Subtraction rounds monotonously, so that two comparisons say exactly what `abs(sample - mean) > limit` does.
struct Bounds {
    let lower: Double
    let upper: Double

    /// - Parameters:
    ///   - mean: Finite.
    ///   - limit: Finite, from 0 up.
    init(mean: Double, limit: Double) {
        upper = Self.upper(mean, limit)
        lower = -Self.upper(-mean, limit)
    }

    /// The largest number that is no further than `limit` above the mean.
    ///
    /// It is mostly the rounded sum or next to it; where that is close to zero, there may be more numbers in between than one can step along.
    private static func upper(_ mean: Double, _ limit: Double) -> Double {
        func isInside(_ ordinal: Int64) -> Bool { !(Double(ordinal: ordinal) - mean > limit) }
        let (lowest, highest) = ((-Double.infinity).ordinal, Double.infinity.ordinal)
        var inside = (mean + limit).ordinal
        var outside = inside
        var step: Int64 = 1
        if isInside(inside) {
            repeat {
                inside = outside
                outside = outside < highest - step ? outside + step : highest
                step = min(2 * step, 1 << 60)
            } while isInside(outside)
        } else {
            repeat {
                outside = inside
                inside = inside > lowest + step ? inside - step : lowest
                step = min(2 * step, 1 << 60)
            } while !isInside(inside)
        }
        while outside - inside > 1 {
            let middle = inside + (outside - inside) / 2
            if isInside(middle) { inside = middle } else { outside = middle }
        }
        return Double(ordinal: inside)
    }
}

extension Double {
    /// Numbers in ascending order, which are next to each other where the doubles are.
    fileprivate var ordinal: Int64 {
        let bits = Int64(bitPattern: bitPattern)
        return bits < 0 ? .min - bits : bits
    }

    fileprivate init(ordinal: Int64) {
        self.init(bitPattern: UInt64(bitPattern: ordinal < 0 ? .min - ordinal : ordinal))
    }
}
