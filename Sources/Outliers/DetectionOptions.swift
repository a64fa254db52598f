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

    /// Options.
    ///
    /// - Throws: ``OutlierError/invalidThreshold(_:)`` for a threshold that is negative or not finite.
    public init(threshold: Double = 2, nonFinite: NonFinite = .raise) throws(OutlierError) {
        guard threshold.isFinite, threshold >= 0 else { throw .invalidThreshold(threshold) }
        self.threshold = threshold
        self.nonFinite = nonFinite
    }

    private init() {
        threshold = 2
        nonFinite = .raise
    }

    /// Two standard deviations; NaN and infinity are errors.
    public static let standard = DetectionOptions()
}
