/// What a script wrote.
public struct ScriptOutput: Sendable, Hashable {
    /// Whether the two streams are kept apart.
    public enum Form: Sendable, Hashable, CaseIterable {
        /// Each on its own.
        case separate
        /// Both as standard output, in the order in which they arrive: Python holds its standard output back until it is flushed.
        case combined
    }

    /// Where a line was written to.
    public enum Stream: Sendable, Hashable, CaseIterable {
        /// Standard output, or both where they are combined.
        case standardOutput
        /// Standard error.
        case standardError
    }

    /// A line that a script wrote.
    public struct Line: Sendable, Hashable {
        /// Where to.
        public let stream: Stream
        /// The text, without the line's end; what is no UTF-8 is replaced. A last line may have had no end.
        public let text: String
    }

    /// The bytes of standard output, and of standard error where they are combined.
    public internal(set) var standardOutputBytes: [UInt8] = []
    /// The bytes of standard error.
    public internal(set) var standardErrorBytes: [UInt8] = []

    /// Standard output as text; what is no UTF-8 is replaced.
    public var standardOutput: String { String(decoding: standardOutputBytes, as: UTF8.self) }
    /// Standard error as text; what is no UTF-8 is replaced.
    public var standardError: String { String(decoding: standardErrorBytes, as: UTF8.self) }

    /// The last line of standard error that is not blank, or of what is combined.
    var lastWords: String? {
        let bytes = standardErrorBytes.isEmpty ? standardOutputBytes : standardErrorBytes
        // What a message is made of is never longer; the whole may be large.
        let tail = String(decoding: bytes.suffix(4096), as: UTF8.self)
        return tail.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }.map(String.init)
    }
}
