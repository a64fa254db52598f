/// The few Python literals that the header of a `.npy` file is made of.
enum PythonLiteral: Equatable {
    case string(String)
    case integer(Int)
    case bool(Bool)
    case none
    case tuple([PythonLiteral])
    case list([PythonLiteral])
    case mapping([String: PythonLiteral])

    /// The dictionary that `text` consists of, or nil when it is anything else.
    ///
    /// - Parameter allowsLongIntegers: Whether integers may be written as `3L`, as Python 2 did.
    static func dictionary(_ text: String, allowsLongIntegers: Bool) -> [String: PythonLiteral]? {
        var parser = Parser(text, allowsLongIntegers: allowsLongIntegers)
        // A space before it is an indentation, which not every version of Python takes.
        guard text.hasPrefix("{"), case .mapping(let entries)? = parser.value(depth: 0), parser.isAtEnd else {
            return nil
        }
        return entries
    }

    var string: String? {
        if case .string(let value) = self { return value }
        return nil
    }

    var bool: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    /// The items of a tuple of integers from 0 up.
    var integers: [Int]? {
        guard case .tuple(let items) = self else { return nil }
        var integers: [Int] = []
        for item in items {
            guard case .integer(let value) = item, value >= 0 else { return nil }
            integers.append(value)
        }
        return integers
    }
}

extension PythonLiteral {
    private struct Parser {
        private var rest: Substring.UnicodeScalarView
        private let allowsLongIntegers: Bool

        init(_ text: String, allowsLongIntegers: Bool) {
            rest = text[...].unicodeScalars
            self.allowsLongIntegers = allowsLongIntegers
        }

        /// Whether nothing but spaces and then line breaks follow. Other space can be an indentation.
        var isAtEnd: Bool { rest.drop { $0 == " " }.allSatisfy { $0 == "\n" } }

        /// The next value; nil where there is none. Values deeper than numpy nests them are refused.
        mutating func value(depth: Int) -> PythonLiteral? {
            skipSpaces()
            guard depth < 16, let first = rest.first else { return nil }
            switch first {
            case "'", "\"": return quoted(by: first).map(PythonLiteral.string)
            case "(": return parenthesized(depth: depth)
            case "[": return (items(until: "]", depth: depth)?.items).map(PythonLiteral.list)
            case "{": return entries(depth: depth).map(PythonLiteral.mapping)
            default: return word()
            }
        }

        private mutating func skipSpaces() {
            rest = rest.drop { " \t\n\r\u{C}".unicodeScalars.contains($0) }
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            skipSpaces()
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func quoted(by quote: Unicode.Scalar) -> String? {
            rest.removeFirst()
            guard let end = rest.firstIndex(of: quote) else { return nil }
            let text = String(rest[..<end])
            rest = rest[rest.index(after: end)...]
            return text.contains("\\") ? nil : text
        }

        /// A tuple; or, of one item without a comma behind it, the item.
        private mutating func parenthesized(depth: Int) -> PythonLiteral? {
            guard let (items, endsWithComma) = items(until: ")", depth: depth) else { return nil }
            return items.count == 1 && !endsWithComma ? items[0] : .tuple(items)
        }

        private mutating func items(
            until close: Unicode.Scalar, depth: Int
        ) -> (items: [PythonLiteral], endsWithComma: Bool)? {
            rest.removeFirst()
            var items: [PythonLiteral] = []
            while !take(close) {
                guard items.isEmpty || take(",") else { return nil }
                if take(close) { return (items, !items.isEmpty) }
                guard let item = value(depth: depth + 1) else { return nil }
                items.append(item)
            }
            return (items, false)
        }

        private mutating func entries(depth: Int) -> [String: PythonLiteral]? {
            rest.removeFirst()
            var entries: [String: PythonLiteral] = [:]
            while !take("}") {
                guard entries.isEmpty || take(",") else { return nil }
                if take("}") { break }
                guard let key = value(depth: depth + 1)?.string, take(":"), let item = value(depth: depth + 1),
                    entries.updateValue(item, forKey: key) == nil
                else { return nil }
            }
            return entries
        }

        /// A number, or one of the named constants.
        private mutating func word() -> PythonLiteral? {
            let word = String(rest.prefix { $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" })
            rest = rest.dropFirst(word.unicodeScalars.count)
            switch word {
            case "True": return .bool(true)
            case "False": return .bool(false)
            case "None": return PythonLiteral.none
            default: return integer(word).map(PythonLiteral.integer)
            }
        }

        private func integer(_ word: String) -> Int? {
            let digits = allowsLongIntegers && word.hasSuffix("L") ? word.dropLast() : word[...]
            // Python takes no leading zeros.
            guard digits == "0" || !digits.drop(while: { $0 == "-" }).hasPrefix("0") else { return nil }
            return Int(digits)
        }
    }
}
