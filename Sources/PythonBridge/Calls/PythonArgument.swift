/// What can be passed to a Python function: every ``PythonConvertible`` value, and memory that is lent for the call.
public protocol PythonArgument: ~Copyable, ~Escapable {
    /// Appends this argument to the call, as exactly one Python object. The bridge calls it, and keeps the argument until the call
    /// is over: nothing else keeps memory that is lent, so that whoever calls this must do so too.
    ///
    /// - Throws: ``PythonError`` when it cannot be passed.
    @unsafe borrowing func pass(to call: inout PythonCall) throws(PythonError)

    /// The view of shared memory that calls are given again and again; nil for anything else, and while there is none.
    var keptView: KeptView? { get }

    /// What keeps lent memory alive when Python keeps a view of it; nil when nothing was lent, or nothing can.
    var lendOwner: (any Sendable)? { get }

    /// Called when the call is over, with whether Python kept a view of this argument.
    borrowing func lendDidEnd(hasEscaped: Bool)
}

extension PythonArgument where Self: ~Copyable & ~Escapable {
    /// Nothing is to be done.
    @inlinable
    public borrowing func lendDidEnd(hasEscaped: Bool) {}

    /// Nil: there is none.
    @inlinable
    public var keptView: KeptView? { nil }

    /// Nil: nothing was lent.
    @inlinable
    public var lendOwner: (any Sendable)? { nil }
}

/// Keyword arguments, written as a dictionary literal: `keywords: ["threshold": 3.0, "nan": "omit"]`.
public struct PythonKeywords: ExpressibleByDictionaryLiteral {
    @usableFromInline package let entries: [(name: String, value: any PythonConvertible)]

    /// Names with values, in the order in which they are written.
    public init(dictionaryLiteral elements: (String, any PythonConvertible)...) {
        entries = elements.map { (name: $0.0, value: $0.1) }
    }

    /// Names with values that are known only when the program runs.
    public init(_ entries: [(name: String, value: any PythonConvertible)]) {
        self.entries = entries
    }
}
