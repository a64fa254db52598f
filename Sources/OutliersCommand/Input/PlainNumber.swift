/// Decimal numbers that are exact in double precision with one operation: up to 2⁵³, times or divided by a power of ten up to 10²².
///
/// Source: W. D. Clinger, "How to read floating point numbers accurately", 1990.
enum PlainNumber {
    private static let powersOfTen = (0...22).map { (0..<$0).reduce(1.0) { power, _ in power * 10 } }

    /// The nearest double; nil where the text is no number, or takes more to read.
    static func value(of text: Span<UInt8>) -> Double? {
        var position = 0
        let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
        if isNegative { position = 1 }
        var (digits, scale, hasPoint) = (0, 0, false)
        var number: UInt64 = 0
        while position < text.count {
            let byte = text[position]
            position += 1
            let digit = byte &- UInt8(ascii: "0")
            if digit < 10 {
                digits += 1
                number = number * 10 + UInt64(digit)
                if hasPoint { scale += 1 }
                // So many digits are below 2⁶³.
                guard digits < 19 else { return nil }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                return nil
            }
        }
        guard digits > 0, number <= 1 << 53 else { return nil }
        let value = scale == 0 ? Double(number) : Double(number) / powersOfTen[scale]
        return isNegative ? -value : value
    }
}
