internal import Glibc

/// Takes the lines out of a pipe that does not block.
struct LineReader {
    /// A longer line comes in pieces.
    private static let longest = 1 << 16

    private let pipe: Descriptor
    private var rest: [UInt8] = []
    private(set) var isAtEnd = false

    init(_ pipe: Descriptor) { self.pipe = pipe }

    /// What poll(2) is to wait for; nothing more at the end.
    var request: pollfd { pollfd(fd: isAtEnd ? -1 : pipe.number, events: Int16(POLLIN), revents: 0) }

    /// Reads what there is, but no more than a pipe holds, and calls `body` with each line: who writes without end does not keep the reader.
    ///
    /// - Parameter isLast: Whether what has no end yet is a line too.
    mutating func read(isLast: Bool = false, _ body: (String) -> Void) {
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        for _ in 0..<4 where !isAtEnd {
            let count = unsafe Glibc.read(pipe.number, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { break }
            guard count > 0 else {
                isAtEnd = true
                break
            }
            for byte in chunk[..<count] {
                if byte != UInt8(ascii: "\n") { rest.append(byte) }
                if byte == UInt8(ascii: "\n") || rest.count >= Self.longest { end(body) }
            }
        }
        if isLast || isAtEnd, !rest.isEmpty { end(body) }
    }

    private mutating func end(_ body: (String) -> Void) {
        body(String(decoding: rest, as: UTF8.self))
        rest.removeAll(keepingCapacity: true)
    }
}
