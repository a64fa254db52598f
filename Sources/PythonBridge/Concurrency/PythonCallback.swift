internal import CShim

/// A Swift closure that Python can call.
///
/// ```swift
/// let progress = PythonCallback { (done: Int, total: Int) in print("\(done) of \(total)") }
/// let found: Int = try detect(samples, indices, keywords: ["progress": progress])
/// ```
///
/// Python passes positional arguments: numbers, text, lists, objects, and memory, where it is: Python's own as a ``PythonBuffer`` or a
/// ``PythonArray``, to be read, and Swift's as the ``SharedBuffer`` or ``SharedArray`` that it is. Arguments that are not what the closure
/// takes raise `TypeError`. The closure may run on any thread that Python calls it on, at any time until Python holds it no longer; it is then
/// released, once. The GIL is not held while it runs, so that it may wait, or call Python.
///
/// An exception of such a call that the closure does not handle goes on as it is, and so do ``PythonError/cancelled`` and
/// ``PythonError/deadlineExceeded``; ``PythonError/conversion(expected:found:)`` raises `TypeError`, ``PythonError/invalidBuffer(_:)`` `ValueError`,
/// ``PythonError/outOfMemory(byteCount:)`` `MemoryError`. Any other error goes through Python as `PythonBridge.SwiftError`. Unless Python catches
/// them, the last four come back to Swift with ``PythonException/swiftError``, the same value.
public struct PythonCallback: PythonConvertible, Sendable {
    private let function: HostFunction
    /// What the closure takes, and the closure itself, for a call from another process.
    package let argumentTypes: [any PythonResult.Type]
    package let body: @Sendable (any CallbackArguments) throws -> any PythonConvertible & Sendable

    /// A closure of any number of arguments, with a result.
    public init<each Argument: PythonResult, Result: PythonConvertible & Sendable>(
        _ body: @escaping @Sendable (repeat each Argument) throws -> Result
    ) {
        var types: [any PythonResult.Type] = []
        for type in repeat (each Argument).self { types.append(type) }
        argumentTypes = types
        self.body = { arguments in
            let values = (repeat try arguments.next(as: (each Argument).self))
            return try body(repeat each values)
        }
        function = HostFunction(arity: types.count) { arguments in
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

/// The arguments of a callback, one after the other, wherever they come from.
package protocol CallbackArguments: AnyObject {
    /// - Throws: ``PythonError/conversion(expected:found:)`` when it is something else.
    func next<Argument: PythonResult>(as type: Argument.Type) throws -> Argument
}
