/// Whether the call leaks.
///
/// A measure grows steadily when, after the first tenth of the calls,
/// - the least-squares line rises by ``SoakMeasure/least`` at least, and its slope is more than three standard errors, and
/// - from each quarter of the readings to the next, the median rises by at least half of what the line does.
///
/// It is a leak if anything grows steadily. Where free memory was given back, it must still have grown, by half of what the line says, from
/// one time that it was to the other; otherwise it is retention.
enum SoakVerdict: Sendable, Equatable {
    case noLeak(detectable: Double)
    /// So much for each call.
    case leak(SoakMeasure, perCall: Double, isTrimmed: Bool)
    /// So many bytes were given back at the end.
    case retention(SoakMeasure, perCall: Double)
    case tooShort

    /// The fewest readings after the warm-up, and calls, to say anything.
    static let fewestReadings = 16
    static let fewestCalls = 100

    init(_ record: SoakRecord) {
        let settled = record.settled
        guard settled.count >= Self.fewestReadings, record.end.calls >= Self.fewestCalls,
            let first = settled.first, let last = settled.last, record.trimmed.count != 1
        else {
            self = .tooShort
            return
        }
        var retained: SoakVerdict?
        for measure in SoakMeasure.allCases {
            guard let slope = Self.steadySlope(of: measure, settled) else { continue }
            guard let before = record.trimmed.first, let after = record.trimmed.last else {
                self = .leak(measure, perCall: slope, isTrimmed: false)
                return
            }
            let left = Double(measure.value(after) - measure.value(before)) / Double(after.calls - before.calls)
            if left >= slope / 2 {
                self = .leak(measure, perCall: left, isTrimmed: true)
                return
            }
            retained = retained ?? .retention(measure, perCall: slope)
        }
        self = retained ?? .noLeak(detectable: SoakMeasure.resident.least / Double(last.calls - first.calls))
    }

    private static func steadySlope(of measure: SoakMeasure, _ readings: [SoakReading]) -> Double? {
        let points = readings.map { (x: Double($0.calls), y: Double(measure.value($0))) }
        guard let trend = Trend(points), let error = trend.standardError, trend.slope > 3 * error,
            trend.slope * (points[points.count - 1].x - points[0].x) >= measure.least
        else { return nil }
        let quarters = (0..<4).map { quarter in
            let part = Array(points[points.count * quarter / 4..<points.count * (quarter + 1) / 4])
            return (x: median(part) { $0.x } ?? 0, y: median(part) { $0.y } ?? 0)
        }
        for (earlier, later) in zip(quarters, quarters.dropFirst()) {
            guard later.y - earlier.y >= trend.slope * (later.x - earlier.x) / 2 else { return nil }
        }
        return trend.slope
    }

    var isLeak: Bool { if case .leak = self { true } else { false } }

    /// As `--json` has it.
    var name: String {
        switch self {
        case .noLeak: "no leak"
        case .leak: "leak"
        case .retention: "retention"
        case .tooShort: "too short to tell"
        }
    }

    /// One line.
    var text: String {
        switch self {
        case .noLeak(let detectable):
            "no leak: one of \(SoakMeasure.resident.amount(detectable.rounded(.up))) a call would show"
        case .leak(let measure, let perCall, let isTrimmed):
            "leak: \(measure.amount(perCall)) a call"
                + (isTrimmed ? ", which are not given back" : "; --trim tells a leak from memory that is only kept")
        case .retention(let measure, let perCall):
            "retention: grew by \(measure.amount(perCall)) a call, and gave it back when trimmed"
        case .tooShort:
            "too short to tell: it takes \(Self.fewestCalls) calls, and \(Self.fewestReadings) readings after the warm-up"
        }
    }
}
