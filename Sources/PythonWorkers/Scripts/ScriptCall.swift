internal import FoundationEssentials

extension PythonScript {
    /// Runs the script as a function: the request is its standard input, and the reply its standard output, both as JSON.
    ///
    /// ```swift
    /// let reply: Reply = try await script.call(Request(name: "Ada", age: 36), timeout: .seconds(5))
    /// ```
    ///
    /// JSON has no NaN and no infinity. In a reply they are read as Python's `json` writes them, `NaN`, `Infinity` and `-Infinity`; in a request
    /// they are an error.
    ///
    /// - Parameters:
    ///   - request: What `json.load(sys.stdin)` gives to the script.
    ///   - arguments: What the script has as `sys.argv[1:]`.
    ///   - timeout: How long it may take from this call on.
    /// - Returns: What the script printed.
    /// - Throws: ``ScriptError``.
    public func call<Request: Encodable, Reply: Decodable>(
        _ request: Request, arguments: [String] = [], timeout: Duration? = nil
    ) async throws(ScriptError) -> Reply {
        try reply(try await run(arguments: arguments, input: try input(request), timeout: timeout))
    }

    /// Calls the script as ``call(_:arguments:timeout:)`` does, and blocks the thread: for threads that run no tasks.
    ///
    /// - Throws: ``ScriptError``.
    public func callAndWait<Request: Encodable, Reply: Decodable>(
        _ request: Request, arguments: [String] = [], timeout: Duration? = nil
    ) throws(ScriptError) -> Reply {
        try reply(try runAndWait(arguments: arguments, input: try input(request), timeout: timeout))
    }

    private func input(_ request: some Encodable) throws(ScriptError) -> ScriptInput {
        do {
            return .bytes([UInt8](try JSONEncoder().encode(request)))
        } catch {
            throw self.error(.invalidInput("the request cannot be written as JSON: \(error)"))
        }
    }

    /// Reads a reply.
    package func reply<Reply: Decodable>(_ output: ScriptOutput) throws(ScriptError) -> Reply {
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true  // has NaN and Infinity
        do {
            return try decoder.decode(Reply.self, from: Data(output.standardOutputBytes))
        } catch {
            throw self.error(.malformedReply(Self.description(error)), ending: .exited(0), output: output)
        }
    }

    /// What is wrong, and where.
    private static func description(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let context: DecodingError.Context
        switch error {
        case .dataCorrupted(let found): context = found
        case .keyNotFound(let key, let found):
            return "'\(key.stringValue)' is missing\(place(found.codingPath))"
        case .typeMismatch(let type, let found), .valueNotFound(let type, let found):
            return "\(type) is expected\(place(found.codingPath))"
        @unknown default: return "\(error)"
        }
        return "it is no JSON\(place(context.codingPath))"
    }

    private static func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "" : " at '\(path.map(\.stringValue).joined(separator: "."))'"
    }
}
