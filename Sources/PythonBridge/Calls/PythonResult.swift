internal import CShim

/// What a Python function's result can be read as: numbers, text, an optional for `None`, arrays, objects, and memory.
public protocol PythonResult: SendableMetatype {
    /// Reads a result. Called while the thread is attached; the value may not be kept.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` when the result is something else.
    static func read(_ value: borrowing PythonValue) throws(PythonError) -> Self
}

/// Turns the outcome of a reading function of the shim into the value or an error.
private func check<Value>(
    _ reading: cshim_reading, _ value: Value, _ object: borrowing PythonValue, as expected: @autoclosure () -> String
) throws(PythonError) -> Value {
    guard reading == .CSHIM_READ else { throw misread(reading, object, as: expected()) }
    return value
}

/// Why a value is not what was asked for.
@inline(never)
private func misread(_ reading: cshim_reading, _ object: borrowing PythonValue, as expected: String) -> PythonError {
    switch reading {
    case .CSHIM_READ, .CSHIM_WRONG_TYPE: .conversion(expected: expected, found: object.typeName)
    case .CSHIM_OUT_OF_RANGE: .conversion(expected: expected, found: "an int out of its range")
    case .CSHIM_RAISED: .raised()
    }
}

extension FixedWidthInteger where Self: PythonResult {
    /// Reads an `int`, or what has `__index__`, such as `numpy.int64`.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` for another type, or a number out of range.
    @inlinable
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Self {
        let result =
            isSigned
            ? Self(exactly: try value.int64(as: Self.self)) : Self(exactly: try value.uint64(as: Self.self))
        guard let result else { throw .conversion(expected: "\(Self.self)", found: "an int out of its range") }
        return result
    }
}

extension PythonValue {
    /// Reads a result.
    @inlinable @inline(__always)
    borrowing func read<R: PythonResult>() throws(PythonError) -> R {
        // Decided when it is compiled. Through the protocol the most frequent result would be a call of unknown code.
        if R.self == Int.self, let number = Int(try int64(as: Int.self)) as? R { return number }
        return try R.read(self)
    }

    @inlinable
    borrowing func int64(as type: Any.Type) throws(PythonError) -> Int64 {
        var number: Int64 = 0
        let reading = unsafe Self.read(handle, &number)
        guard reading == 0 else { throw misreadInteger(reading, as: type) }
        return number
    }

    @inlinable
    borrowing func uint64(as type: Any.Type) throws(PythonError) -> UInt64 {
        var number: UInt64 = 0
        let reading = unsafe Self.read(handle, &number)
        guard reading == 0 else { throw misreadInteger(reading, as: type) }
        return number
    }

    /// Returns the shim's `cshim_reading`, 0 for one that succeeded.
    @usableFromInline
    static func read(_ object: OpaquePointer, _ number: UnsafeMutablePointer<Int64>) -> UInt32 {
        unsafe cshim_read_int(object, number).rawValue
    }

    @usableFromInline
    static func read(_ object: OpaquePointer, _ number: UnsafeMutablePointer<UInt64>) -> UInt32 {
        unsafe cshim_read_uint(object, number).rawValue
    }

    @usableFromInline
    borrowing func misreadInteger(_ reading: UInt32, as type: Any.Type) -> PythonError {
        misread(cshim_reading(rawValue: reading) ?? .CSHIM_WRONG_TYPE, self, as: "\(type)")
    }
}

extension Int: PythonResult {
    /// Reads an `int`, or what has `__index__`, such as `numpy.int64`.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` for another type, or a number out of range.
    @inlinable
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Int {
        Int(try value.int64(as: Int.self))
    }
}
extension Int64: PythonResult {}
extension Int32: PythonResult {}
extension Int16: PythonResult {}
extension Int8: PythonResult {}
extension UInt: PythonResult {}
extension UInt64: PythonResult {}
extension UInt32: PythonResult {}
extension UInt16: PythonResult {}
extension UInt8: PythonResult {}

extension Double: PythonResult {
    /// Reads a `float`, an `int` or a scalar of numpy.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Double {
        var number = 0.0
        let reading = unsafe cshim_read_float(value.handle, &number)
        return try check(reading, number, value, as: "Double")
    }
}

extension Float: PythonResult {
    /// Reads a `float`, rounded to the nearest `Float`.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Float {
        Float(try Double.read(value))
    }
}

extension Float16: PythonResult {
    /// Reads a `float`, rounded to the nearest `Float16`.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Float16 {
        Float16(try Double.read(value))
    }
}

extension Complex: PythonResult {
    /// Reads a `complex`, a `float`, an `int` or a scalar of numpy, its parts rounded to the nearest `Part`.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Complex {
        var real = 0.0
        var imaginary = 0.0
        let reading = unsafe cshim_read_complex(value.handle, &real, &imaginary)
        _ = try check(reading, 0, value, as: "\(Self.self)")
        return Complex(Part(real), Part(imaginary))
    }
}

extension Bool: PythonResult {
    /// Reads `True` or `False`, numpy's included; no other value counts as one.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Bool {
        var truth = false
        let reading = unsafe cshim_read_bool(value.handle, &truth)
        return try check(reading, truth, value, as: "Bool")
    }
}

extension String: PythonResult {
    /// Copies the text of a `str`.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> String {
        var utf8: UnsafePointer<CChar>?
        var length = 0
        let reading = unsafe cshim_read_string(value.handle, &utf8, &length)
        let text = unsafe UnsafeRawBufferPointer(start: utf8, count: length)
        MemoryLedger.countCopy(byteCount: length)
        return try check(reading, unsafe String(decoding: text, as: UTF8.self), value, as: "String")
    }
}

extension Optional: PythonResult where Wrapped: PythonResult {
    /// Reads nil for `None`.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Wrapped? {
        unsafe cshim_is_none(value.handle) ? nil : try Wrapped.read(value)
    }
}

extension Array: PythonResult where Element: PythonResult {
    /// Copies the items of a list, a tuple, an array or any other iterable; text and bytes are refused.
    ///
    /// Source: `PyObject_GetIter`, `PyIter_Next`.
    @inlinable
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> [Element] {
        guard let iterator = try value.iterator() else {
            throw .conversion(expected: "\(Self.self)", found: value.typeName)
        }
        var items: [Element] = []
        while let item = try iterator.next() { items.append(try Element.read(item)) }
        MemoryLedger.countCopy(of: Element.self, count: items.count)
        return items
    }
}

extension PythonValue {
    /// Goes through the items; nil for text, bytes and what has none.
    @usableFromInline
    borrowing func iterator() throws(PythonError) -> PythonValue? {
        if let iterator = unsafe cshim_iterator(handle) { return unsafe PythonValue(taking: iterator) }
        if cshim_exception_occurred() { throw .raised() }
        return nil
    }

    /// The next item of an iterator; nil at its end.
    @usableFromInline
    borrowing func next() throws(PythonError) -> PythonValue? {
        if let item = unsafe cshim_next(handle) { return unsafe PythonValue(taking: item) }
        if cshim_exception_occurred() { throw .raised() }
        return nil
    }
}
