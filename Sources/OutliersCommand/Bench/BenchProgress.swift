/// One line on a terminal that says what is measured.
struct BenchProgress {
    private static let interval = Duration.milliseconds(100)

    /// How many measurements there are.
    let total: Int
    private var done = 0
    private var shown: ContinuousClock.Instant?

    init(total: Int) { self.total = total }

    mutating func finish(_ count: Int = 1) { done += count }

    mutating func show(_ what: @autoclosure () -> String) {
        guard StandardError.isTerminal else { return }
        let now = ContinuousClock.now
        if let shown, now - shown < Self.interval { return }
        shown = now
        TerminalLine.show("measuring \(100 * done / max(total, 1)) %: \(what())")
    }
}
