import PythonBridge

/// What is detected, and where.
struct BenchSetup {
    let data: GeneratedSamples.Distribution
    let threshold: Double
    let python: PythonOptions

    /// Samples in memory that other processes can map, the same for all contestants.
    ///
    /// - Throws: ``Failure`` with ``Failure/Code/unavailable`` when there is no memory for them.
    func samples(count: Int) throws(Failure) -> StridedView<Double> {
        do throws(PythonError) {
            return try GeneratedSamples.make(count: count, isShared: true, data)
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
