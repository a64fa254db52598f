/// A Python callable, to be called like a Swift function.
///
/// ```swift
/// let detect = try python.function("detect_into", in: "pyoutliers")
/// let found: Int = try detect(.lending(samples), .lending(&indices), keywords: ["threshold": 3.0])
/// ```
///
/// Any thread and any task may call it. The calling thread is attached for the length of the call, waiting for the GIL if
/// need be. Source: `PyObject_Vectorcall`.
public struct PythonFunction: Sendable {
    @usableFromInline let object: PythonObject
    /// The name by which it was looked up.
    public let name: String

    /// Calls with arguments whose number is known only when the program runs.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/conversion(expected:found:)`` when the
    ///   result is not an `R`; ``PythonError/notRunning``.
    public func call<R: PythonResult>(
        _ arguments: [any PythonConvertible], keywords: PythonKeywords? = nil, returning type: R.Type = R.self
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: arguments.count + (keywords?.entries.count ?? 0))
        for argument in arguments { call.append(argument: argument) }
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        extendLifetime(arguments)
        return try call.finish(result)
    }
}

extension PythonFunction: PythonConvertible {
    /// The function itself.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        try unsafe object.pythonValue()
    }
}

/// Reads any result as nothing.
@usableFromInline
struct Ignored: PythonResult {
    @usableFromInline
    static func read(_ value: borrowing PythonValue) -> Ignored { Ignored() }
}
