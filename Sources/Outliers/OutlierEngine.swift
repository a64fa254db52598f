public import PythonBridge

/// One way of running the detection. All engines give the same answer; they differ in speed, in bytes copied, and in what a crash
/// takes with it.
public protocol OutlierEngine: Sendable {
    /// Finds the outliers.
    ///
    /// - Returns: Their indices, ascending, in memory that is the caller's.
    /// - Throws: ``OutlierError``.
    func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int>

    /// The mean and the standard deviation that ``outliers(in:options:)`` measures by.
    ///
    /// - Throws: ``OutlierError``.
    func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments
}

/// Where the samples lie, and how far they spread.
public struct Moments: Sendable, Hashable {
    /// The arithmetic mean; NaN where there is no sample.
    public let mean: Double
    /// The population's standard deviation (ddof = 0); NaN where there is no sample, infinity where the squares overflow.
    public let standardDeviation: Double

    /// Moments.
    public init(mean: Double, standardDeviation: Double) {
        self.mean = mean
        self.standardDeviation = standardDeviation
    }
}
