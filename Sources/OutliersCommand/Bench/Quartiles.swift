/// The median of some numbers and how far they spread.
struct Quartiles: Sendable {
    let lower: Double
    let median: Double
    let upper: Double

    /// Interpolated linearly between neighbours, as `numpy.quantile` does; of no numbers NaN.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        func quantile(_ fraction: Double) -> Double {
            let position = fraction * Double(sorted.count - 1)
            let below = Int(position)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
        }
        guard !sorted.isEmpty else {
            (lower, median, upper) = (.nan, .nan, .nan)
            return
        }
        (lower, median, upper) = (quantile(0.25), quantile(0.5), quantile(0.75))
    }
}
