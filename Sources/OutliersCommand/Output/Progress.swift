/// One line on standard error that says how far long work is. Nothing unless standard error is a terminal.
struct Progress: ~Copyable {
    private let label: String
    private let total: Int
    private let isShown: Bool
    private var shownPercent = -1

    /// - Parameter total: The amount of work; below a few million units nothing is shown.
    init(_ label: String, total: Int) {
        self.label = label
        self.total = total
        isShown = total > 8_000_000 && StandardError.isTerminal
    }

    mutating func update(_ done: Int) {
        guard isShown else { return }
        let percent = done * 100 / total
        guard percent != shownPercent else { return }
        shownPercent = percent
        StandardError.write("\r\(label) \(percent) %")
    }

    deinit {
        if isShown { StandardError.write("\r\u{1B}[K") }
    }
}
