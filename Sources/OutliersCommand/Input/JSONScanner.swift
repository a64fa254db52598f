import PythonBridge

/// Goes through JSON text that is mapped, and keeps none of it.
///
/// Source: RFC 8259; `NaN`, `Infinity` and `-Infinity` are numbers, as Python writes them.
struct JSONScanner {
    private let file: InputFile
    /// Where the next token is looked for.
    private(set) var position: Int

    /// Deeper than anybody nests arrays and objects.
    private static let deepest = 512

    /// - Parameter position: Where to begin; at the start, behind a byte order mark, if it is nil.
    init(_ file: InputFile, from position: Int? = nil) {
        self.file = file
        self.position = position ?? (file.bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
    }

    /// The byte that the next token starts with; nil at the end.
    mutating func peek() -> UInt8? {
        let bytes = file.bytes
        let span = bytes.span
        while position < span.count {
            let byte = span[position]
            guard [0x20, 0x0A, 0x0D, 0x09].contains(byte) else { return byte }
            position += 1
        }
        return nil
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
        guard take(character) else { throw problem("'\(character)' is missing") }
    }

    /// Goes behind the comma before a further item, or behind the end of the items.
    ///
    /// - Returns: Whether there is an item.
    mutating func hasNext(before end: Unicode.Scalar, isFirst: Bool) throws(Failure) -> Bool {
        if take(end) { return false }
        if !isFirst { try expect(",") }
        return true
    }

    /// - Throws: ``Failure`` when more than space follows.
    mutating func expectEnd() throws(Failure) {
        if peek() != nil { throw problem("there is more behind its end") }
    }

    // MARK: - Values

    /// A value that is to be a number; NaN for `null`, and nil, behind it, for any other.
    mutating func number() throws(Failure) -> Double? {
        guard let byte = peek() else { throw problem("it ends too early") }
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let start = position
            if try skipNumber() == .infinite { return -.infinity }
            let bytes = file.bytes
            if let number = PlainNumber.value(of: bytes.span.extracting(start..<position)) { return number }
            return Double(String(decoding: bytes.extracting(start..<position), as: UTF8.self))
        case UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "I"):
            return try skipWord() == "Infinity" ? .infinity : .nan
        default:
            try skipValue()
            return nil
        }
    }

    /// Text in quotes.
    mutating func string() throws(Failure) -> String {
        let (range, hasEscapes) = try skipString()
        guard hasEscapes else { return String(decoding: file.bytes.extracting(range), as: UTF8.self) }
        return try unescaped(range)
    }

    /// Goes behind any value.
    mutating func skipValue() throws(Failure) {
        var ends: [UInt8] = []
        repeat {
            guard let byte = peek() else { throw problem("it ends too early") }
            var isOpen = false
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                guard ends.count < Self.deepest else { throw problem("it is nested too deeply") }
                position += 1
                ends.append(byte + 2)  // the bracket that closes it
                isOpen = true
            case UInt8(ascii: "\""): _ = try skipString()
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = try skipNumber()
            default: _ = try skipWord()
            }
            while let end = ends.last {
                guard try hasNext(before: Unicode.Scalar(end), isFirst: isOpen) else {
                    ends.removeLast()
                    isOpen = false
                    continue
                }
                if end == UInt8(ascii: "}") { try skipKey() }
                break
            }
        } while !ends.isEmpty
    }

    /// Goes behind the name of a member, and the colon.
    mutating func skipKey() throws(Failure) {
        guard peek() == UInt8(ascii: "\"") else { throw problem("a name in quotes is missing") }
        _ = try skipString()
        try expect(":")
    }

    /// The name of a member; the scanner goes behind the colon.
    mutating func key() throws(Failure) -> String {
        guard peek() == UInt8(ascii: "\"") else { throw problem("a name in quotes is missing") }
        let key = try string()
        try expect(":")
        return key
    }

    // MARK: - Tokens

    private enum Number { case finite, infinite }

    private mutating func skipNumber() throws(Failure) -> Number {
        let bytes = file.bytes
        let span = bytes.span
        let start = position
        var end = position
        if span[end] == UInt8(ascii: "-") {
            end += 1
            if end < span.count, span[end] == UInt8(ascii: "I") {
                position = end
                guard try skipWord() == "Infinity" else { throw problem("a number is missing") }
                return .infinite
            }
        }
        let first = end
        end = Self.digitsEnd(span, from: end)
        var isNumber = end > first && (end == first + 1 || span[first] != UInt8(ascii: "0"))
        if end < span.count, span[end] == UInt8(ascii: ".") {
            end += 1
            let digits = end
            end = Self.digitsEnd(span, from: digits)
            isNumber = isNumber && end > digits
        }
        if end < span.count, span[end] | 0x20 == UInt8(ascii: "e") {
            end += 1
            if end < span.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(span[end]) { end += 1 }
            let digits = end
            end = Self.digitsEnd(span, from: digits)
            isNumber = isNumber && end > digits
        }
        position = start
        guard isNumber else { throw problem("what begins like a number is none") }
        position = end
        return .finite
    }

    private static func digitsEnd(_ span: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < span.count, span[end] &- UInt8(ascii: "0") < 10 { end += 1 }
        return end
    }

    private mutating func skipWord() throws(Failure) -> String {
        let bytes = file.bytes
        let span = bytes.span
        var end = position
        while end < span.count, end - position < 16, (0x61...0x7A).contains(span[end] | 0x20) { end += 1 }
        let word = String(decoding: bytes.extracting(position..<end), as: UTF8.self)
        guard ["true", "false", "null", "NaN", "Infinity"].contains(word) else { throw problem("a value is missing") }
        position = end
        return word
    }

    /// - Returns: Where the text is without its quotes, and whether a backslash is in it.
    private mutating func skipString() throws(Failure) -> (range: Range<Int>, hasEscapes: Bool) {
        let bytes = file.bytes
        let span = bytes.span
        let start = position + 1
        var end = start
        var (hasEscapes, isASCII) = (false, true)
        while end < span.count, span[end] != UInt8(ascii: "\"") {
            let byte = span[end]
            if byte < 0x20 {
                position = end
                throw problem("a character in a text must be escaped")
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                end += 1
            }
            if byte >= 0x80 { isASCII = false }
            end += 1
        }
        guard end < span.count else { throw problem("a text does not end") }
        if !isASCII, String(validating: bytes.extracting(start..<end), as: UTF8.self) == nil {
            throw problem("a text is no UTF-8")
        }
        position = end + 1
        if hasEscapes { _ = try unescaped(start..<end) }
        return (start..<end, hasEscapes)
    }

    private func unescaped(_ range: Range<Int>) throws(Failure) -> String {
        var units: [UInt16] = []
        var rest = String(decoding: file.bytes.extracting(range), as: UTF8.self).utf16[...]
        func invalid() -> Failure { problem("an escape in a text is none") }
        while let unit = rest.popFirst() {
            guard unit == 0x5C else {
                units.append(unit)
                continue
            }
            switch rest.popFirst().flatMap(Unicode.Scalar.init) {
            case "b": units.append(0x08)
            case "f": units.append(0x0C)
            case "n": units.append(0x0A)
            case "r": units.append(0x0D)
            case "t": units.append(0x09)
            case let scalar? where ["\"", "\\", "/"].contains(scalar): units.append(UInt16(scalar.value))
            case "u":
                let digits = String(rest.prefix(4)) ?? ""
                guard digits.count == 4, digits.allSatisfy(\.isHexDigit), let code = UInt16(digits, radix: 16) else {
                    throw invalid()
                }
                units.append(code)
                rest = rest.dropFirst(4)
            default: throw invalid()
            }
        }
        guard let text = String(validating: units, as: UTF16.self) else { throw invalid() }
        return text
    }

    // MARK: - Problems

    /// What is wrong at the position, told by line and column.
    private func problem(_ text: String) -> Failure {
        let bytes = file.bytes
        let span = bytes.span
        var (line, start) = (1, 0)
        for index in 0..<min(position, span.count) where span[index] == 0x0A { (line, start) = (line + 1, index + 1) }
        return Failure(
            .badData, "\(file.name): it is not JSON: line \(line), column \(position - start + 1): \(text)")
    }
}
