import Glibc
import Synchronization

/// One line on standard error that says how far long work is: a bar, the percentage, the rate and the time that is left. Nothing
/// unless standard error is a terminal.
final class Progress: Sendable {
    private struct State {
        var percent = -1
        var shownAt: ContinuousClock.Instant?
    }

    private let label: String
    private let total: Int?
    private let unitSize: Int?
    private let isTerminal = StandardError.isTerminal
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    /// Work that is done before anybody could read of it.
    private static let least = 8_000_000
    /// Between two lines that show the same percentage.
    private static let interval = Duration.milliseconds(200)

    /// - Parameters:
    ///   - label: A verb, and what it is done with.
    ///   - total: The amount of work; below a few million units nothing is shown. Nil where only the work so far is known.
    ///   - unitSize: How many bytes a unit of work is; nil where there is no rate in it.
    init(_ label: String, total: Int?, unitSize: Int? = nil) {
        self.label = label
        self.total = total
        self.unitSize = unitSize
    }

    var isShown: Bool { isTerminal && total.map { $0 > Self.least } ?? true }

    /// - Parameter total: Another amount of work, if there is more than was known of.
    func update(_ done: Int, of total: Int? = nil) {
        guard isShown, done > 0 else { return }
        let total = total ?? self.total
        guard total != nil || done > Self.least else { return }
        let percent = total.map { Int(Double(done) / Double($0) * 100) } ?? 0
        let now = ContinuousClock.now
        state.withLock { state in
            let isDue = state.shownAt.map { now - $0 >= Self.interval } ?? true
            guard percent > state.percent || isDue else { return }
            state.percent = max(percent, state.percent)
            state.shownAt = now
            TerminalLine.show(line(done, of: total, percent: state.percent, after: now - start))
        }
    }

    private func line(_ done: Int, of total: Int?, percent: Int, after elapsed: Duration) -> String {
        let seconds = max(elapsed / .seconds(1), 1e-3)
        var parts: [String] = []
        if total != nil { parts = [Self.bar(percent), "\(percent) %"] }
        if let unitSize {
            if total == nil { parts.append(Self.bytes(Double(done * unitSize))) }
            parts.append(Self.bytes(Double(done * unitSize) / seconds) + "/s")
        }
        if let total, seconds > 1 {
            parts.append(Self.time(seconds / Double(done) * Double(max(total - done, 0))) + " left")
        }
        return TerminalLine.fit(label, parts)
    }

    private static func bar(_ percent: Int) -> String {
        let filled = min(percent, 100) / 5
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled) + "]"
    }

    /// Two or three digits, such as 1.4 GB.
    static func bytes(_ count: Double) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB"]
        var (count, unit) = (count, 0)
        while count >= 999.5, unit < units.count - 1 { (count, unit) = (count / 1000, unit + 1) }
        return count < 9.95 && unit > 0
            ? "\((count * 10).rounded() / 10) \(units[unit])" : "\(Int(count.rounded())) \(units[unit])"
    }

    /// Minutes and seconds, such as 1:05, with hours before them from one on.
    static func time(_ seconds: Double) -> String {
        let seconds = Int(min(seconds, 3.6e8).rounded(.up))
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours):\(padded(minutes))" : "\(minutes)") + ":\(padded(seconds % 60))"
    }

    deinit {
        if state.withLock({ $0.shownAt != nil }) { TerminalLine.erase() }
    }
}

/// The line on a terminal that is written again and again.
enum TerminalLine {
    private static let isShown = Mutex(false)

    static func show(_ text: String) {
        isShown.withLock { isShown in
            isShown = true
            StandardError.write("\r" + text.suffix(width - 1))
        }
    }

    /// A line that fits into the terminal: the name in the label is cut at its start, and parts are left out, the percentage last.
    static func fit(_ label: String, _ parts: [String]) -> String {
        let least = 24
        let shorter = [parts, Array(parts.dropFirst()), parts.filter { $0.hasSuffix("%") }]
        let parts = shorter.first { width - 1 - text($0).count >= min(label.count, least) } ?? shorter[2]
        let room = max(width - 1 - text(parts).count, 0)
        guard label.count > room else { return label + text(parts) }
        let verb = label.prefix { $0 != " " } + " …"
        return (verb.count < room ? verb + label.suffix(room - verb.count) : label.suffix(room)) + text(parts)
    }

    private static func text(_ parts: [String]) -> String { parts.map { " " + $0 }.joined() }

    static func erase() { isShown.withLock { erase(&$0) } }

    /// Erases the line and writes the program's last one. It waits neither long for a terminal that takes nothing, nor for a thread that does.
    static func end(with text: String) {
        var output = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&output, 1, 100) == 1 else { return }
        for _ in 0..<100 {
            let hasEnded: Void? = isShown.withLockIfAvailable { isShown in
                erase(&isShown)
                StandardError.write(text)
            }
            if hasEnded != nil { return }
            usleep(1000)
        }
    }

    private static func erase(_ isShown: inout Bool) {
        if isShown { StandardError.write("\r\u{1B}[K") }
        isShown = false
    }

    /// The terminal's columns. Source: tty_ioctl(4).
    private static var width: Int {
        var size = winsize()
        return unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 80
    }
}
