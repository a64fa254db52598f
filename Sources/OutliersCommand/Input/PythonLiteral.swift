/// The few Python literals that the header of a `.npy` file is made of.
enum PythonLiteral: Equatable {
    case string(String)
    case integer(Int)
    case bool(Bool)
    case none
    /// A tuple or a list.
    case sequence([PythonLiteral])
    case mapping([String: PythonLiteral])

    /// The dictionary that `text` consists of, or nil when it is anything else.
    static func dictionary(_ text: String) -> [String: PythonLiteral]? {
        var parser = Parser(text)
        guard case .mapping(let entries)? = parser.value(depth: 0), parser.isAtEnd else { return nil }
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
        guard case .sequence(let items) = self else { return nil }
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

        init(_ text: String) {
            rest = text[...].unicodeScalars
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpaces()
                return rest.isEmpty
            }
        }

        /// The next value; nil where there is none. Values deeper than numpy nests them are refused.
        mutating func value(depth: Int) -> PythonLiteral? {
            skipSpaces()
            guard depth < 16, let first = rest.first else { return nil }
            switch first {
            case "'", "\"": return quoted(by: first).map(PythonLiteral.string)
            case "(": return items(until: ")", depth: depth).map(PythonLiteral.sequence)
            case "[": return items(until: "]", depth: depth).map(PythonLiteral.sequence)
            case "{": return entries(depth: depth).map(PythonLiteral.mapping)
            default: return word()
            }
        }

        private mutating func skipSpaces() {
            rest = rest.drop(while: \.properties.isWhitespace)
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

        private mutating func items(until close: Unicode.Scalar, depth: Int) -> [PythonLiteral]? {
            rest.removeFirst()
            var items: [PythonLiteral] = []
            while !take(close) {
                guard items.isEmpty || take(",") else { return nil }
                if take(close) { break }
                guard let item = value(depth: depth + 1) else { return nil }
                items.append(item)
            }
            return items
        }

        private mutating func entries(depth: Int) -> [String: PythonLiteral]? {
            rest.removeFirst()
            var entries: [String: PythonLiteral] = [:]
            while !take("}") {
                guard entries.isEmpty || take(",") else { return nil }
                if take("}") { break }
                guard let key = value(depth: depth + 1)?.string, take(":"), let item = value(depth: depth + 1) else {
                    return nil
                }
                entries[key] = item
            }
            return entries
        }

        /// A number (numpy under Python 2 wrote `3L`), or one of the named constants.
        private mutating func word() -> PythonLiteral? {
            let word = String(rest.prefix { $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" })
            rest = rest.dropFirst(word.unicodeScalars.count)
            switch word {
            case "True": return .bool(true)
            case "False": return .bool(false)
            case "None": return PythonLiteral.none
            default: return Int(word.hasSuffix("L") ? String(word.dropLast()) : word).map(PythonLiteral.integer)
            }
        }
    }
}
