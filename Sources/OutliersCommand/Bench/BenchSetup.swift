import PythonBridge

/// What is detected, and where.
struct BenchSetup {
    let data: GeneratedSamples.Distribution
    let threshold: Double
    let python: PythonOptions

    /// Starts what a contestant needs.
    ///
    /// - Throws: ``Failure``.
    func prepare(_ contestant: Contestant) throws(Failure) -> Contestant.Detect {
        try Interrupt.python(isUsed: contestant.kind.usesPython) { () throws(Failure) in
            try contestant.prepare(python: python, threshold: threshold)
        }
    }
}

/// The samples of one size, the same for all contestants: for one that maps them in memory that it can map, for the others in ordinary
/// memory. Each is made when it is first asked for.
struct BenchSamples {
    let count: Int
    let setup: BenchSetup
    private var mapped: StridedView<Double>?
    private var ordinary: StridedView<Double>?

    init(count: Int, setup: BenchSetup) {
        self.count = count
        self.setup = setup
    }

    /// - Throws: ``Failure`` with ``Failure/Code/unavailable`` when there is no memory for them.
    mutating func series(for kind: Contestant.Kind) throws(Failure) -> StridedView<Double> {
        if let made = kind.mapsSamples ? mapped : ordinary { return made }
        do throws(PythonError) {
            let series = try GeneratedSamples.make(count: count, isShared: kind.mapsSamples, setup.data)
            if kind.mapsSamples { mapped = series } else { ordinary = series }
            return series
        } catch {
            throw Failure(error, input: "generated samples")
        }
    }
}
