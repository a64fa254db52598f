import Glibc
import Synchronization

/// One line on standard error that says how far long work is. Nothing unless standard error is a terminal.
final class Progress: Sendable {
    private let label: String
    private let total: Int
    let isShown: Bool
    private let shownPercent = Mutex(-1)

    /// - Parameter total: The amount of work; below a few million units nothing is shown.
    init(_ label: String, total: Int) {
        self.label = label
        self.total = total
        isShown = total > 8_000_000 && StandardError.isTerminal
    }

    /// - Parameter total: Another amount of work, if there is more than was known of.
    func update(_ done: Int, of total: Int? = nil) {
        guard isShown else { return }
        let percent = Int(Double(done) / Double(total ?? self.total) * 100)
        shownPercent.withLock { shown in
            guard percent > shown else { return }
            shown = percent
            TerminalLine.show("\(label) \(percent) %")
        }
    }

    deinit {
        if isShown { TerminalLine.erase() }
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
