internal import CSearch

private typealias Lanes = SIMD8<Double>

/// Samples in double precision, one after the other in memory of any alignment.
///
/// The sums go along eight strips of the block at a time. At the start of a page a processor waits for memory, since it prefetches
/// within pages only: going along one strip, as a plain loop does, reads 80 MB at two thirds of the rate.
@safe
struct Block {
    /// 128 KiB, which stay in the second-level cache for a second look. Measured were 2 to 64 Ki samples; from 8 Ki up they are alike.
    static let capacity = Int(CSEARCH_CAPACITY)

    /// How many positions beyond those of all samples ``writeOutliers(beyond:to:offset:)`` may write to.
    static let slack = Int(CSEARCH_SLACK)

    private static let strips = 8

    private let start: UnsafeRawPointer
    let count: Int

    /// - Parameters:
    ///   - start: The first sample; the memory outlives this.
    ///   - count: From 1 up to ``capacity``.
    @unsafe init(start: UnsafeRawPointer, count: Int) {
        unsafe self.start = start
        self.count = count
    }

    @inline(__always)
    subscript(index: Int) -> Double {
        unsafe start.loadUnaligned(fromByteOffset: index &* 8, as: Double.self)
    }

    @inline(__always)
    private func lanes(at index: Int) -> Lanes {
        unsafe start.loadUnaligned(fromByteOffset: index &* 8, as: Lanes.self)
    }

    var firstNonFiniteIndex: Int? { (0..<count).first { !self[$0].isFinite } }

    /// The moments, by one look at each sample; they are not finite where a sample is not, or where squares overflow.
    func moments() -> BlockMoments {
        let shift = self[0]
        let (sum, squares) = sums { $0 - shift }
        let mean = sum / Double(count)
        let fromMean = squares - sum * mean
        // What cancels out costs at most four bits. It is the mean that is far from the first sample then.
        if fromMean * 16 >= squares { return BlockMoments(count: count, shift: shift, mean: mean, squares: fromMean) }
        return BlockMoments(count: count, shift: shift, mean: mean, squares: sums { ($0 - shift) - mean }.squares)
    }

    /// The same of the samples that are finite.
    func finiteMoments() -> BlockMoments {
        let finite = (0..<count).map { self[$0] }.filter(\.isFinite)
        guard !finite.isEmpty else { return BlockMoments() }
        return unsafe finite.withUnsafeBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe Block(start: $0, count: finite.count).moments() } ?? BlockMoments()
        }
    }

    /// The sum of the samples, each moved by `centre`, and the sum of their squares.
    @inline(__always)
    private func sums(_ centre: (Lanes) -> Lanes) -> (sum: Double, squares: Double) {
        var sums = Lanes.zero
        var squares = Lanes.zero
        let length = count / (Self.strips * Lanes.scalarCount) * Lanes.scalarCount
        var index = 0
        while index < length {
            var strip = 0
            while strip < Self.strips {
                let values = centre(lanes(at: index &+ strip &* length))
                sums += values
                squares += values * values
                strip &+= 1
            }
            index &+= Lanes.scalarCount
        }
        var rest = Lanes.zero
        var (sum, square) = (sums.sum(), squares.sum())
        for index in Self.strips * length..<count {
            rest[0] = self[index]
            let value = centre(rest)[0]
            sum += value
            square += value * value
        }
        return (sum, square)
    }

    /// Writes the positions of the samples beyond the bounds, ascending, each plus `offset`.
    ///
    /// - Parameter positions: Has room for ``count`` and ``slack`` more, which may be written to as well.
    /// - Returns: How many there are.
    func writeOutliers(beyond bounds: Bounds, to positions: UnsafeMutablePointer<Int>, offset: Int) -> Int {
        unsafe csearch_beyond(start, count, bounds.lower, bounds.upper, offset, positions)
    }
}
