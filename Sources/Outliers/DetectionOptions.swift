/// What counts as an outlier, and what to do with samples that are not numbers.
public struct DetectionOptions: Sendable, Hashable {
    /// What happens to NaN and infinity.
    public enum NonFinite: String, Sendable, CaseIterable {
        /// The first one is an error.
        case raise
        /// They count neither for the moments nor as outliers.
        case omit
    }

    /// An outlier is further than this many population standard deviations from the mean, on either side.
    public let threshold: Double
    /// What happens to NaN and infinity.
    public let nonFinite: NonFinite
    /// On how many threads one detection runs, at most: each has half a million samples at least. ``OutlierDetector/Engine/native`` runs on them
    /// all along, Python in the first pass over contiguous `Double` whose mean is no further from zero than 2.6 deviations.
    /// ``OutlierDetector/Engine/subprocess``, which mostly reads and writes text, runs on one.
    public let threads: Int

    /// Options.
    ///
    /// - Throws: ``OutlierError/invalidThreshold(_:)`` for a threshold that is negative or not finite,
    ///   ``OutlierError/invalidThreads(_:)`` for less than one thread.
    public init(threshold: Double = 2, nonFinite: NonFinite = .raise, threads: Int = 1) throws(OutlierError) {
        guard threshold.isFinite, threshold >= 0 else { throw .invalidThreshold(threshold) }
        guard threads >= 1 else { throw .invalidThreads(threads) }
        self.threshold = threshold
        self.nonFinite = nonFinite
        self.threads = threads
    }

    private init() {
        threshold = 2
        nonFinite = .raise
        threads = 1
    }

    /// Two standard deviations; NaN and infinity are errors; one thread.
    public static let standard = DetectionOptions()
}
