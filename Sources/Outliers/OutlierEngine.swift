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

    /// Finds the outliers, and tells on the way how far that is.
    ///
    /// An engine without this of its own tells that all is done, at the end.
    /// - Throws: ``OutlierError``; what `progress` throws, the same value.
    func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int>

    /// The mean and the standard deviation that ``outliers(in:options:)`` measures by.
    ///
    /// - Throws: ``OutlierError``.
    func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments
}

extension OutlierEngine {
    /// Finds the outliers, and tells `progress` that all is done.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        let indices = try outliers(in: samples, options: options)
        try progress(samples.count, samples.count)
        return indices
    }
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
