internal import CShim

/// A value that Python can hold: a number, text, none, a list, an object, or shared memory.
///
/// To pass a type of your own, convert it to one that conforms already:
///
/// ```swift
/// extension Celsius: PythonConvertible {
///     @unsafe func pythonValue() throws(PythonError) -> PythonValue { try unsafe degrees.pythonValue() }
/// }
/// ```
public protocol PythonConvertible: PythonArgument {
    /// A new Python object of this value. The bridge calls it while the thread is attached, as whoever else calls it must see to;
    /// and the value must not leave the thread, nor stay until it is detached.
    ///
    /// - Throws: ``PythonError`` when there is none.
    @unsafe func pythonValue() throws(PythonError) -> PythonValue
}

extension PythonConvertible {
    /// Appends the value to the call.
    @inlinable
    public func pass(to call: inout PythonCall) throws(PythonError) {
        call.append(try unsafe pythonValue())
    }
}

extension BinaryInteger where Self: PythonConvertible {
    /// An `int`, whatever the integer's width up to 64 bits. Source: `PyLong_FromLongLong`.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` beyond the range of 64 bits.
    @inlinable
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        if let value = Int64(exactly: self) { return try PythonValue(value) }
        if let value = UInt64(exactly: self) { return try PythonValue(value) }
        throw .conversion(expected: "an integer of 64 bits", found: "\(self)")
    }
}

extension PythonValue {
    @usableFromInline
    init(_ integer: Int64) throws(PythonError) {
        unsafe try self.init(created: cshim_int(integer))
    }

    @usableFromInline
    init(_ integer: UInt64) throws(PythonError) {
        unsafe try self.init(created: cshim_uint(integer))
    }
}

extension Int: PythonConvertible {}
extension Int64: PythonConvertible {}
extension Int32: PythonConvertible {}
extension Int16: PythonConvertible {}
extension Int8: PythonConvertible {}
extension UInt: PythonConvertible {}
extension UInt64: PythonConvertible {}
extension UInt32: PythonConvertible {}
extension UInt16: PythonConvertible {}
extension UInt8: PythonConvertible {}

extension Double: PythonConvertible {
    /// A `float`. Source: `PyFloat_FromDouble`.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        unsafe try PythonValue(created: cshim_float(self))
    }
}

extension Float: PythonConvertible {
    /// A `float`, which holds every `Float` exactly.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        try unsafe Double(self).pythonValue()
    }
}

extension Float16: PythonConvertible {
    /// A `float`, which holds every `Float16` exactly.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        try unsafe Double(self).pythonValue()
    }
}

extension Complex: PythonConvertible {
    /// A `complex`, which holds every number exactly. Source: `PyComplex_FromDoubles`.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        unsafe try PythonValue(created: cshim_complex(Double(real), Double(imaginary)))
    }
}

extension Bool: PythonConvertible {
    /// `True` or `False`.
    @unsafe public func pythonValue() -> PythonValue {
        unsafe PythonValue(taking: cshim_bool(self))
    }
}

extension String: PythonConvertible {
    /// A `str`, a copy of the text. Source: `PyUnicode_FromStringAndSize`.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        MemoryLedger.countCopy(byteCount: utf8.count)
        return unsafe try PythonValue(created: cshim_string(self, utf8.count))
    }
}

extension Optional: PythonArgument where Wrapped: PythonConvertible {}

extension Optional: PythonConvertible where Wrapped: PythonConvertible {
    /// `None` for nil.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        if let value = self { return try unsafe value.pythonValue() }
        return unsafe PythonNone().pythonValue()
    }
}

/// Python's `None`, as an argument.
public struct PythonNone: PythonConvertible, Sendable {
    /// The one value.
    public init() {}

    /// `None`.
    @unsafe public func pythonValue() -> PythonValue {
        unsafe PythonValue(taking: cshim_none())
    }
}

extension Array: PythonArgument where Element: PythonConvertible {}

extension Array: PythonConvertible where Element: PythonConvertible {
    /// A new `list`. Each item becomes a Python object of its own, so this copies; `.lending(array)` and
    /// ``SharedBuffer`` do not. Source: `PyList_New`.
    @inlinable
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        MemoryLedger.countCopy(of: Element.self, count: count)
        let list = try PythonValue(listOf: count)
        // A failure half way frees the list with the items that it has.
        for index in indices { list.fill(index, with: try unsafe self[index].pythonValue()) }
        return list
    }
}

extension PythonValue {
    /// A new list whose items are still to be filled in.
    @usableFromInline
    init(listOf count: Int) throws(PythonError) {
        unsafe try self.init(created: cshim_list(count))
    }

    /// Fills an item of a new list, which takes over the reference.
    @usableFromInline
    borrowing func fill(_ index: Int, with item: consuming PythonValue) {
        unsafe cshim_list_fill(handle, index, item.take())
    }
}
