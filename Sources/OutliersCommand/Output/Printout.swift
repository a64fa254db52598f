import PythonBridge

/// Text with a list of indices in it, which is made while it is written: beside the indices it takes no memory that grows with them.
struct Printout: Sendable {
    private let head: String
    private let indices: SharedBuffer<Int>
    private let separator: String
    private let tail: String

    private static let pieceSize = 1 << 20

    /// - Parameters:
    ///   - head: What comes before the indices.
    ///   - separator: What comes between them.
    ///   - tail: What comes behind them.
    init(_ head: String, _ indices: SharedBuffer<Int>, separator: String, _ tail: String) {
        self.head = head
        self.indices = indices
        self.separator = separator
        self.tail = tail
    }

    init(_ text: String) {
        self.init(text, SharedBuffer(sharing: []), separator: "", "")
    }

    /// Calls `write` with one piece of the text after the other.
    func write<E>(_ write: ([UInt8]) throws(E) -> Void) throws(E) {
        var piece = Array(head.utf8)
        for (position, index) in indices.enumerated() {
            if position > 0 { piece.append(contentsOf: separator.utf8) }
            piece.append(contentsOf: String(index).utf8)
            guard piece.count >= Self.pieceSize else { continue }
            try write(piece)
            piece.removeAll(keepingCapacity: true)
        }
        try write(piece + tail.utf8)
    }
}
