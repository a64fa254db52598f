internal import CShim

/// A Swift closure that Python can call.
///
/// ```swift
/// let progress = PythonCallback { (done: Int, total: Int) in print("\(done) of \(total)") }
/// let found: Int = try detect(samples, indices, keywords: ["progress": progress])
/// ```
///
/// Python passes positional arguments: numbers, text, lists, objects, and memory, which a ``PythonBuffer`` or a ``PythonArray`` sees
/// where it is. The closure may run on any thread that Python calls it on, at any time until Python holds it no longer; it is then
/// released, once. The GIL is not held while it runs, so that it may wait, or call Python.
///
/// An error that it throws goes through Python as an exception, `PythonBridge.SwiftError`, and comes back to Swift as
/// ``PythonException/swiftError``, the same value, unless Python catches it. Arguments that are not what the closure takes raise
/// `TypeError`.
public struct PythonCallback: PythonConvertible, Sendable {
    private let function: HostFunction

    /// A closure of any number of arguments, with a result.
    public init<each Argument: PythonResult, Result: PythonConvertible & Sendable>(
        _ body: @escaping @Sendable (repeat each Argument) throws -> Result
    ) {
        var arity = 0
        for _ in repeat (each Argument).self { arity += 1 }
        function = HostFunction(arity: arity) { arguments in
            let values = (repeat try arguments.next(as: (each Argument).self))
            return try unsafe Self.detached { try body(repeat each values) }.pythonValue()
        }
    }

    /// A closure of any number of arguments, without a result: `None` in Python.
    public init<each Argument: PythonResult>(_ body: @escaping @Sendable (repeat each Argument) throws -> Void) {
        self.init { (arguments: repeat each Argument) in
            try body(repeat each arguments)
            return PythonNone()
        }
    }

    /// The Python function.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue { try unsafe function.pythonValue() }

    /// Lets go of the GIL for a closure. The thread is attached.
    private static func detached<R>(_ body: () throws -> R) rethrows -> R {
        let state = unsafe cshim_let_go()
        defer { unsafe cshim_take_back(state) }
        return try body()
    }
}
