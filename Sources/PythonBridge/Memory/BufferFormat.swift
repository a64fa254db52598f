/// A format of one element, as the `struct` module and PEP 3118 write it.
package struct BufferFormat {
    private enum Kind { case signed, unsigned, floating, complex, bool }

    private let text: String
    private let kind: Kind?
    private let size: Int
    /// Whether the bytes are in the other order than this machine's.
    let isForeign: Bool

    /// Reads a format such as `d`, `<f8`'s `<d`, `l` or `Zd`; anything but one number matches no type.
    package init(_ text: String) {
        self.text = text
        let hasPrefix = text.first.map { "@=<>!^".contains($0) } ?? false
        let prefix = hasPrefix ? text.first : nil
        let code = String(text.dropFirst(hasPrefix ? 1 : 0))
        // With a prefix but '@' and '^' the sizes are the standard ones, where C's long has 4 bytes.
        let long = prefix == nil || prefix == "@" || prefix == "^" ? 8 : 4
        let known: [String: (Kind, Int)] = [
            "?": (.bool, 1), "b": (.signed, 1), "h": (.signed, 2), "i": (.signed, 4), "l": (.signed, long),
            "q": (.signed, 8), "n": (.signed, 8), "B": (.unsigned, 1), "H": (.unsigned, 2), "I": (.unsigned, 4),
            "L": (.unsigned, long), "Q": (.unsigned, 8), "N": (.unsigned, 8), "e": (.floating, 2), "f": (.floating, 4),
            "d": (.floating, 8), "Zf": (.complex, 8), "Zd": (.complex, 16),
        ]
        kind = known[code]?.0
        size = known[code]?.1 ?? 0
        #if _endian(little)
            let isReversed = prefix == ">" || prefix == "!"
        #else
            let isReversed = prefix == "<"
        #endif
        isForeign = isReversed && size > 1
    }

    /// What keeps memory of this format from holding elements of `type`; nil if it does hold them.
    package func difference<Element: BufferElement>(from type: Element.Type) -> String? {
        if isForeign { return "elements of foreign byte order ('\(text)')" }
        let wanted = BufferFormat("\(Element.bufferFormat)")
        return kind != nil && kind == wanted.kind && size == wanted.size ? nil : "elements of format '\(text)'"
    }
}
