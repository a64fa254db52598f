/// Count, mean and sum of squared deviations from it.
struct BlockMoments {
    var count = 0
    /// A sample, which the mean is counted from: constant data deviates by exactly zero, and a small spread keeps its digits.
    var shift = 0.0
    var mean = 0.0
    var squares = 0.0

    var isFinite: Bool { mean.isFinite && squares.isFinite }

    mutating func merge(_ other: BlockMoments) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let total = Double(count + other.count)
        let apart = (other.shift - shift) + (other.mean - mean)
        let weight = Double(other.count) / total
        mean += apart * weight
        squares += other.squares + apart * apart * (Double(count) * weight)
        count += other.count
    }
}
