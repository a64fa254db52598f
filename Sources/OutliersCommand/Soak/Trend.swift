/// The line through points that leaves the least squares, and how sure its slope is.
struct Trend {
    let slope: Double
    /// The slope's standard error, as if the distances from the line were independent; nil for two points.
    let standardError: Double?
    private let meanX: Double
    private let meanY: Double

    /// - Returns: nil for fewer than two points, or where all are at the same place.
    init?(_ points: some Collection<(x: Double, y: Double)>) {
        let count = Double(points.count)
        guard count >= 2 else { return nil }
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        let squares = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        guard squares > 0 else { return nil }
        let slope = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / squares
        let residuals = points.reduce(0) {
            let distance = $1.y - meanY - slope * ($1.x - meanX)
            return $0 + distance * distance
        }
        self.slope = slope
        (self.meanX, self.meanY) = (meanX, meanY)
        standardError = count > 2 ? (residuals / (count - 2) / squares).squareRoot() : nil
    }

    /// The line's height.
    func value(at x: Double) -> Double { meanY + slope * (x - meanX) }
}
