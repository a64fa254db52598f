internal import Glibc

/// An instant until which something has time, or none.
package struct Deadline: Sendable {
    package let instant: ContinuousClock.Instant?

    package static let never = Deadline(nil)

    package init(_ instant: ContinuousClock.Instant?) { self.instant = instant }

    package init(after duration: Duration?) { instant = duration.map { .now + $0 } }

    var isSet: Bool { instant != nil }

    package var hasPassed: Bool { instant.map { $0 <= .now } ?? false }

    /// What is left; zero when it has passed.
    var remaining: Duration? { instant.map { max(.zero, $0 - .now) } }

    /// What is left, as poll(2) takes it.
    var milliseconds: Int32 {
        guard let (seconds, attoseconds) = remaining?.components else { return -1 }
        return Int32(min(seconds, 1 << 20) * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    static func earlier(_ a: Deadline, _ b: Deadline) -> Deadline {
        guard let x = a.instant, let y = b.instant else { return a.isSet ? a : b }
        return Deadline(min(x, y))
    }
}
