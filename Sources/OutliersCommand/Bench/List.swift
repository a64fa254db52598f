import ArgumentParser

/// Several values of an option, with commas between them; each counts once.
struct List<Value: LosslessStringConvertible & Hashable & Sendable>: CustomStringConvertible, Sendable {
    let values: [Value]

    init(_ values: [Value]) { self.values = values }

    /// - Parameter kind: What the values are, for the message.
    /// - Throws: `ValidationError` unless there is a value, and each text is one.
    init(_ argument: String, of kind: String) throws {
        var values: [Value] = []
        for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Value(String(text)) else {
                throw ValidationError("it takes \(kind), with commas between them")
            }
            if !values.contains(value) { values.append(value) }
        }
        self.values = values
    }

    var description: String { values.map(\.description).joined(separator: ",") }
}

/// How many samples: a whole number from 1 up, also as `1e6`.
struct SampleCount: LosslessStringConvertible, Hashable, Sendable {
    /// More are in no memory.
    private static let limit = 1 << 40

    let value: Int

    init(_ value: Int) { self.value = value }

    init?(_ text: String) {
        guard let value = Int(text) ?? Double(text).flatMap(Int.init(exactly:)), 1...Self.limit ~= value else {
            return nil
        }
        self.value = value
    }

    var description: String { "\(value)" }
}
