/// The detection without any Python: two passes over the samples, with SIMD.
///
/// Squares are taken from a sample of their block, or from the block's mean where that would lose digits; the moments of the blocks are
/// merged pairwise, in their order, so that they are the same to the last bit on any number of threads.
///
/// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", 1983.
package struct Detection<Failure: Error> {
    private let threads: Int
    private let samplesPerThread: Int
    private let refuse: ((_ index: Int, _ value: Double) -> Failure)?

    /// A detection.
    ///
    /// - Parameters:
    ///   - threads: On how many threads, at most, the caller's among them; from 1 up.
    ///   - samplesPerThread: How many samples each has at least, so that it pays to start it.
    ///   - refuse: Makes the error for the first sample that is not finite; nil leaves such samples out.
    package init(
        threads: Int = 1, samplesPerThread: Int = 500_000, refuse: ((_ index: Int, _ value: Double) -> Failure)?
    ) {
        self.threads = threads
        self.samplesPerThread = samplesPerThread
        self.refuse = refuse
    }

    /// The mean and the population's standard deviation: NaN where there is no sample, an infinite deviation where squares overflow.
    ///
    /// - Parameters:
    ///   - samples: The samples.
    ///   - passed: Is told, on the caller's thread, how many more samples have been gone through. What it throws ends the detection.
    /// - Throws: The error for a sample that is not finite; what `passed` throws.
    package func moments(
        of samples: some SampleSource, passed: (_ count: Int) throws(Failure) -> Void
    ) throws(Failure) -> (mean: Double, standardDeviation: Double) {
        let moments = try blockMoments(of: samples, passed: passed)
        guard moments.count > 0 else { return (.nan, .nan) }
        guard moments.isFinite else { return (meanOfHuge(samples, count: moments.count), .infinity) }
        return (moments.shift + moments.mean, (moments.squares / Double(moments.count)).squareRoot())
    }

    /// Searches the samples that are further than `threshold` standard deviations from the mean.
    ///
    /// - Parameters:
    ///   - samples: The samples.
    ///   - threshold: Finite, from 0 up.
    ///   - passed: As for ``moments(of:passed:)``; there are two passes.
    ///   - found: Is given the indices of the outliers, some at a time, ascending, on any thread but by one at a time. What it throws
    ///     ends the detection.
    /// - Throws: As ``moments(of:passed:)``, and what `found` throws.
    package func search(
        _ samples: some SampleSource, threshold: Double, passed: (_ count: Int) throws(Failure) -> Void,
        found: (Span<Int>) throws(Failure) -> Void
    ) throws(Failure) {
        let (mean, standardDeviation) = try moments(of: samples, passed: passed)
        let limit = threshold * standardDeviation
        guard limit.isFinite else { return }
        let bounds = Bounds(mean: mean, limit: limit)
        let leavesOut = refuse == nil
        try pass(over: samples, passed: passed) { capacity in
            Positions(capacity: capacity)
        } work: { block, start, positions in
            let earlier = positions.count
            positions.append(unsafe block.writeOutliers(beyond: bounds, to: positions.end, offset: start))
            if leavesOut { positions.remove(from: earlier) { block[$0 - start].isInfinite } }
        } take: { positions throws(Failure) in
            if positions.count > 0 { try found(positions.span) }
            positions.count = 0
        }
    }

    /// Writes the indices of the samples that are further than `threshold` standard deviations from the mean, ascending, as many as fit.
    ///
    /// - Parameters:
    ///   - samples: The samples.
    ///   - threshold: Finite, from 0 up.
    ///   - indices: Memory of the caller's. Beyond what is written it is left as it is.
    ///   - passed: As for ``moments(of:passed:)``; there are two passes.
    /// - Returns: How many there are, which may be more than fit.
    /// - Throws: As ``moments(of:passed:)``.
    package func search(
        _ samples: some SampleSource, threshold: Double, into indices: UnsafeMutableBufferPointer<Int>,
        passed: (_ count: Int) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        var count = 0
        try search(samples, threshold: threshold, passed: passed) { found in
            let rest = unsafe indices.dropFirst(count)
            unsafe found.withUnsafeBufferPointer { found in
                _ = unsafe UnsafeMutableBufferPointer(rebasing: rest).update(fromContentsOf: found.prefix(rest.count))
            }
            count += found.count
        }
        return count
    }

    /// The moments of all samples, or of those that are finite.
    private func blockMoments(
        of samples: some SampleSource, passed: (Int) throws(Failure) -> Void
    ) throws(Failure) -> BlockMoments {
        var total = BlockMoments()
        let leavesOut = refuse == nil
        try pass(over: samples, passed: passed) { _ in
            MomentsOfBlocks()
        } work: { block, start, outcome in
            guard outcome.refused == nil else { return }
            var moments = block.moments()
            // Moments that are finite prove that every sample is: clean data pays for no search.
            if !moments.isFinite {
                if !leavesOut, let index = block.firstNonFiniteIndex { outcome.refused = (start + index, block[index]) }
                moments = block.finiteMoments()
            }
            outcome.moments.append(moments)
        } take: { outcome throws(Failure) in
            if let (index, value) = outcome.refused, let refuse { throw refuse(index, value) }
            for moments in outcome.moments { total.merge(moments) }
            outcome.moments.removeAll(keepingCapacity: true)
        }
        return total
    }

    /// Goes through the samples once.
    ///
    /// - Parameters:
    ///   - outcome: Makes the memory for what comes of so many samples.
    ///   - work: Is called with each block and its first position, on any thread, and several at once.
    ///   - take: Is called with what came of the next samples, in their order, on any thread.
    private func pass<Outcome: ~Copyable>(
        over samples: some SampleSource, passed: (Int) throws(Failure) -> Void, outcome: (_ capacity: Int) -> Outcome,
        work: (Block, _ start: Int, inout Outcome) -> Void, take: (inout Outcome) throws(Failure) -> Void
    ) throws(Failure) {
        let count = samples.count
        let threads = min(threads, max(1, count / samplesPerThread))
        // Several blocks at a time, where threads wait for each other in between.
        let size = threads == 1 ? Block.capacity : 4 * Block.capacity
        func makeStep() -> Step<Outcome> {
            Step(scratch: Scratch(capacity: min(count, Block.capacity)), outcome: outcome(min(count, size)))
        }
        func positions(of step: Int) -> Range<Int> { step * size..<min(count, (step + 1) * size) }
        func workOnBlocks(of index: Int, _ scratch: borrowing Scratch<Double>, _ outcome: inout Outcome) {
            let all = positions(of: index)
            for start in stride(from: all.lowerBound, to: all.upperBound, by: Block.capacity) {
                let positions = start..<min(all.upperBound, start + Block.capacity)
                samples.withBlock(positions, scratch: scratch) { work($0, start, &outcome) }
            }
        }
        let steps = (count + size - 1) / size
        guard threads > 1 else {
            var step = makeStep()
            for index in 0..<steps {
                workOnBlocks(of: index, step.scratch, &step.outcome)
                try take(&step.outcome)
                try passed(positions(of: index).count)
            }
            return
        }
        var told = 0
        try withoutActuallyEscaping(workOnBlocks) { workOnBlocks throws(Failure) in
            try withoutActuallyEscaping(take) { take throws(Failure) in
                try OrderedWork(
                    steps: steps, threads: threads, outcome: makeStep,
                    work: { workOnBlocks($0, $1.scratch, &$1.outcome) },
                    take: { step throws(Failure) in try take(&step.outcome) }
                ).run { taken throws(Failure) in
                    let done = min(count, taken * size)
                    defer { told = done }
                    if done > told { try passed(done - told) }
                }
            }
        }
    }

    /// The mean of finite samples whose sum or squares overflow: divided first and added then.
    private func meanOfHuge(_ samples: some SampleSource, count: Int) -> Double {
        var mean = 0.0
        let scratch = Scratch<Double>(capacity: Block.capacity)
        for start in stride(from: 0, to: samples.count, by: Block.capacity) {
            samples.withBlock(start..<min(samples.count, start + Block.capacity), scratch: scratch) { block in
                for index in 0..<block.count where block[index].isFinite { mean += block[index] / Double(count) }
            }
        }
        return mean
    }
}

/// What a thread needs for some blocks, and what comes of them.
private struct Step<Outcome: ~Copyable>: ~Copyable {
    let scratch: Scratch<Double>
    var outcome: Outcome
}

private struct MomentsOfBlocks {
    var moments: [BlockMoments] = []
    /// The first sample that is not finite, where that is an error.
    var refused: (index: Int, value: Double)?
}

/// The positions of outliers.
@safe
private struct Positions: ~Copyable {
    private let scratch: Scratch<Int>
    var count = 0

    init(capacity: Int) { scratch = Scratch(capacity: capacity + Block.slack) }

    var end: UnsafeMutablePointer<Int> { unsafe scratch.start + count }

    var span: Span<Int> {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(Span(_unsafeStart: scratch.start, count: count), borrowing: self) }
    }

    mutating func append(_ written: Int) { count += written }

    mutating func remove(from first: Int, where isUnwanted: (Int) -> Bool) {
        var kept = first
        for place in first..<count {
            let position = unsafe scratch.start[place]
            if isUnwanted(position) { continue }
            unsafe scratch.start[kept] = position
            kept += 1
        }
        count = kept
    }
}
