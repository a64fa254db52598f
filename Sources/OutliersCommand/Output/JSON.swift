import FoundationEssentials

/// Results as JSON.
enum JSON {
    /// One object on one line, its keys in alphabetical order; what is not finite as null must be nil before.
    static func line(_ value: some Encodable) throws(Failure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
        } catch {
            throw Failure(.bug, "the result cannot be told as JSON: \(error)")
        }
    }
}
