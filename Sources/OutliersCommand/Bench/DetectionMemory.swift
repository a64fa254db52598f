/// What one detection takes, measured in a process of its own: what `outliers measure-detection` prints.
struct DetectionMemory: Codable {
    /// By the ledger.
    let bytesCopied: Int
    /// By how much resident memory rose at most, in bytes; nil where the kernel does not tell. See ``PeakMemory``.
    let peakExtraBytes: Int?

    /// Measures a contestant in a process of its own.
    ///
    /// - Throws: ``Failure``.
    static func measure(_ contestant: Contestant, samples: Int, _ setup: BenchSetup) throws(Failure) -> DetectionMemory
    {
        var arguments = [
            MeasureDetectionCommand.name, "--engine=\(contestant.kind.rawValue)", "--threads=\(contestant.threads)",
            "--samples=\(samples)",
            "--data=\(setup.data.rawValue)", "--threshold=\(setup.threshold)",
        ]
        if let environment = setup.python.pythonEnv { arguments.append("--python-env=\(environment)") }
        return try OwnProgram.run(arguments)
    }
}
