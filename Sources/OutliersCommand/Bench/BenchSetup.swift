import PythonBridge

/// What is detected, and where.
struct BenchSetup {
    let data: GeneratedSamples.Distribution
    let threshold: Double
    let python: PythonOptions

    /// Samples, the same for all contestants: for one that maps them in memory that it can map, for the others in ordinary memory.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/unavailable`` when there is no memory for them.
    func samples(count: Int, for kind: Contestant.Kind) throws(Failure) -> StridedView<Double> {
        do throws(PythonError) {
            return try GeneratedSamples.make(count: count, isShared: kind.mapsSamples, data)
        } catch {
            throw Failure(error, input: "generated samples")
        }
    }

    /// Starts what a contestant needs.
    ///
    /// - Throws: ``Failure``.
    func prepare(_ contestant: Contestant) throws(Failure) -> Contestant.Detect {
        try Interrupt.python(isUsed: contestant.kind.usesPython) { () throws(Failure) in
            try contestant.prepare(python: python, threshold: threshold)
        }
    }
}
