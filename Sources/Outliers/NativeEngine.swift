public import PythonBridge

/// The detection in Swift, without any Python: two passes over the samples, with SIMD.
///
/// The moments are computed as `pyoutliers` computes them: every sample is shifted by the first finite one, so that constant data
/// deviates by exactly zero; squares are taken from the mean of a block that is still in the cache; blocks are merged pairwise.
///
/// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", 1983.
public struct NativeEngine: OutlierEngine {
    /// 64 KiB of samples, which stay in the second-level cache between the two looks at them.
    private static let blockSize = 8192

    /// An engine.
    public init() {}

    /// Finds the outliers.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try outliers(in: samples, options: options) { _ in }
    }

    /// Finds the outliers, and tells on the way how far that is.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``; what `progress` throws, the same value.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        try reporting(to: progress) { progress throws(OutlierError) in
            var count = ProgressCount(progress, total: 2 * samples.count)
            let indices = try outliers(in: samples, options: options) { added throws(OutlierError) in
                try count.add(added)
            }
            try count.finish()
            return indices
        }
    }

    /// - Parameter passed: Is told how many samples each block has.
    private func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, passed: (Int) throws(OutlierError) -> Void
    ) throws(OutlierError) -> SharedBuffer<Int> {
        let moments = try moments(of: samples, options: options, passed: passed)
        let limit = options.threshold * moments.standardDeviation
        var indices: [Int] = []
        if limit.isFinite {
            try eachBlock(of: samples) { block, start throws(OutlierError) in
                block.appendOutliers(to: &indices, mean: moments.mean, limit: limit, offset: start)
                try passed(block.count)
            }
        }
        return SharedBuffer(sharing: indices)
    }

    /// The mean and the standard deviation.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        try moments(of: samples, options: options) { _ in }
    }

    private func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions, passed: (Int) throws(OutlierError) -> Void
    ) throws(OutlierError) -> Moments {
        guard let first = samples.first(where: { $0.doubleValue.isFinite }) else {
            if options.nonFinite == .raise { try refuseFirstNonFinite(samples, in: samples.indices) }
            return Moments(mean: .nan, standardDeviation: .nan)
        }
        let shift = first.doubleValue
        var total = BlockMoments()
        try eachBlock(of: samples) { block, start throws(OutlierError) in
            var moments = block.moments(shift: shift)
            if !moments.mean.isFinite {
                // A sum that is finite proves that every sample is: clean data pays for no search.
                if options.nonFinite == .raise {
                    try refuseFirstNonFinite(samples, in: start..<start + block.count)
                }
                moments = block.finiteMoments(shift: shift)
            }
            total.merge(moments)
            try passed(block.count)
        }
        guard total.squares.isFinite else {
            return Moments(mean: meanOfHuge(samples, count: total.count), standardDeviation: .infinity)
        }
        return Moments(
            mean: shift + total.mean, standardDeviation: (total.squares / Double(total.count)).squareRoot())
    }

    private func refuseFirstNonFinite<Element: SampleElement>(
        _ samples: StridedView<Element>, in range: Range<Int>
    ) throws(OutlierError) {
        for index in range where !samples[index].doubleValue.isFinite {
            throw .nonFiniteSample(index: index, value: samples[index].doubleValue)
        }
    }

    /// The mean of finite samples whose sum or squares overflow: divided first and added then.
    private func meanOfHuge<Element: SampleElement>(_ samples: StridedView<Element>, count: Int) -> Double {
        samples.reduce(0) { $1.doubleValue.isFinite ? $0 + $1.doubleValue / Double(count) : $0 }
    }

    /// Calls `body` with one block after the other, in double precision: in place where the samples are contiguous doubles,
    /// otherwise converted into scratch of one block.
    private func eachBlock<Element: SampleElement, E: Error>(
        of samples: StridedView<Element>, _ body: (Span<Double>, Int) throws(E) -> Void
    ) throws(E) {
        if let doubles = samples as? StridedView<Double>, doubles.stride == 1 {
            let span = doubles.buffer.span.extracting(doubles.start..<doubles.start + doubles.count)
            for start in stride(from: 0, to: span.count, by: Self.blockSize) {
                try body(span.extracting(start..<min(start + Self.blockSize, span.count)), start)
            }
        } else {
            var scratch: [Double] = []
            scratch.reserveCapacity(Self.blockSize)
            for start in stride(from: 0, to: samples.count, by: Self.blockSize) {
                scratch.removeAll(keepingCapacity: true)
                for index in start..<min(start + Self.blockSize, samples.count) {
                    scratch.append(samples[index].doubleValue)
                }
                try body(scratch.span, start)
            }
        }
    }
}

/// Count, mean and sum of squared deviations from it, of shifted samples.
struct BlockMoments {
    var count = 0
    var mean = 0.0
    var squares = 0.0

    mutating func merge(_ other: BlockMoments) {
        guard other.count > 0 else { return }
        let total = Double(count + other.count)
        let apart = other.mean - mean
        let weight = Double(other.count) / total
        mean += apart * weight
        squares += other.squares + apart * apart * Double(count) * weight
        count += other.count
    }
}

private typealias Lanes = SIMD8<Double>

extension Span<Double> {
    @inline(__always)
    private func lanes(at index: Int) -> Lanes {
        // One check of the bounds for all lanes, and one load.
        let part = extracting(index..<index + Lanes.scalarCount)
        return Lanes(part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7])
    }

    /// The largest multiple of the number of lanes.
    private var vectorEnd: Int { count & ~(Lanes.scalarCount - 1) }

    func moments(shift: Double) -> BlockMoments {
        var sums = Lanes.zero
        var index = 0
        while index < vectorEnd {
            sums += lanes(at: index) - shift
            index += Lanes.scalarCount
        }
        var sum = sums.sum()
        for index in vectorEnd..<count { sum += self[index] - shift }
        let mean = sum / Double(count)

        var squares = Lanes.zero
        index = 0
        while index < vectorEnd {
            let deviations = (lanes(at: index) - shift) - mean
            squares += deviations * deviations
            index += Lanes.scalarCount
        }
        var square = squares.sum()
        for index in vectorEnd..<count {
            let deviation = (self[index] - shift) - mean
            square += deviation * deviation
        }
        return BlockMoments(count: count, mean: mean, squares: square)
    }

    /// The same of the samples that are finite.
    func finiteMoments(shift: Double) -> BlockMoments {
        var finite: [Double] = []
        for index in indices where self[index].isFinite { finite.append(self[index]) }
        return finite.isEmpty ? BlockMoments() : finite.span.moments(shift: shift)
    }

    func appendOutliers(to outliers: inout [Int], mean: Double, limit: Double, offset: Int) {
        var index = 0
        while index < vectorEnd {
            let distances = lanes(at: index) - mean
            let isOutlier = (distances .> limit) .| (distances .< -limit)
            if any(isOutlier) {
                for lane in 0..<Lanes.scalarCount where isOutlier[lane] && self[index + lane].isFinite {
                    outliers.append(offset + index + lane)
                }
            }
            index += Lanes.scalarCount
        }
        for index in vectorEnd..<count where abs(self[index] - mean) > limit && self[index].isFinite {
            outliers.append(offset + index)
        }
    }
}
