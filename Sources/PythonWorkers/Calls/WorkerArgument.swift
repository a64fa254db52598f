public import PythonBridge

/// What can be passed to a worker's function: numbers, text, optionals, lists, shared memory, memory that is lent, callbacks and allocators.
///
/// To pass a type of your own, convert it to one that conforms already:
///
/// ```swift
/// extension Celsius: WorkerArgument {
///     func encode(to call: inout WorkerCall) throws(PythonError) { try degrees.encode(to: &call) }
/// }
/// ```
public protocol WorkerArgument: PythonArgument, ~Copyable, ~Escapable {
    /// Appends this argument to the call, as exactly one value. Memory that it names is kept until the call is over.
    ///
    /// - Throws: `PythonError` when it cannot be passed.
    borrowing func encode(to call: inout WorkerCall) throws(PythonError)
}

extension Int: WorkerArgument {}
extension Int64: WorkerArgument {}
extension Int32: WorkerArgument {}
extension Int16: WorkerArgument {}
extension Int8: WorkerArgument {}
extension UInt: WorkerArgument {}
extension UInt64: WorkerArgument {}
extension UInt32: WorkerArgument {}
extension UInt16: WorkerArgument {}
extension UInt8: WorkerArgument {}

extension FixedWidthInteger where Self: WorkerArgument {
    /// An `int`.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        if let value = Int64(exactly: self) { return call.writer.append(value) }
        guard let value = UInt64(exactly: self) else {
            throw .conversion(expected: "an integer of 64 bits", found: "\(self)")
        }
        call.writer.append(value)
    }
}

extension Double: WorkerArgument {
    /// A `float`.
    public func encode(to call: inout WorkerCall) { call.writer.append(self) }
}

extension Float: WorkerArgument {
    /// A `float`.
    public func encode(to call: inout WorkerCall) { call.writer.append(Double(self)) }
}

extension Float16: WorkerArgument {
    /// A `float`.
    public func encode(to call: inout WorkerCall) { call.writer.append(Double(self)) }
}

extension Complex: WorkerArgument {
    /// A `complex`.
    public func encode(to call: inout WorkerCall) {
        let parts = [Double(real).bitPattern.bigEndian, Double(imaginary).bitPattern.bigEndian]
        unsafe parts.withUnsafeBytes { unsafe call.writer.append(.complex, $0) }
    }
}

extension Bool: WorkerArgument {
    /// `True` or `False`.
    public func encode(to call: inout WorkerCall) { call.writer.append(self) }
}

extension String: WorkerArgument {
    /// A `str`.
    public func encode(to call: inout WorkerCall) {
        MemoryLedger.countCopy(byteCount: utf8.count)
        call.writer.append(self)
    }
}

extension PythonNone: WorkerArgument {
    /// `None`.
    public func encode(to call: inout WorkerCall) { call.writer.appendNil() }
}

extension Optional: WorkerArgument where Wrapped: WorkerArgument & PythonConvertible {
    /// `None` for nil.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        if let value = self { try value.encode(to: &call) } else { call.writer.appendNil() }
    }
}

extension Array: WorkerArgument where Element: WorkerArgument & PythonConvertible {
    /// A `list`: this copies.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        MemoryLedger.countCopy(of: Element.self, count: count)
        let letter: Character? = Element.self == Double.self ? "d" : Element.self == Int.self ? "q" : nil
        if let letter = letter?.asciiValue, count > 15 {
            return unsafe withUnsafeBytes { unsafe call.writer.append(.list, $0, prefix: [letter]) }
        }
        call.writer.appendArray(count: count)
        for item in self { try item.encode(to: &call) }
    }
}

extension SharedBuffer: WorkerArgument {
    /// A `memoryview`. Memory of `SharedBuffer.init(sharedMemoryCapacity:)` and mapped files are mapped by the worker; other memory is
    /// copied, and what Python wrote is copied back.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        try call.append(
            storage, from: byteOffset, count: count, of: Element.self, isReadOnly: !isWritableByPython)
    }
}

extension StridedView: WorkerArgument {
    /// A strided `memoryview`, of the same memory or a copy as of a `SharedBuffer`.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        try call.append(
            buffer.storage, from: buffer.byteOffset + start * MemoryLayout<Element>.stride, count: count,
            stride: stride, of: Element.self, isReadOnly: true)
    }
}

extension SharedArray: WorkerArgument {
    /// A `memoryview` of the same shape and strides, of the same memory or a copy as of a `SharedBuffer`.
    public func encode(to call: inout WorkerCall) throws(PythonError) {
        try call.append(
            buffer.storage, from: buffer.byteOffset, layout, of: Element.self, isReadOnly: !isWritableByPython)
    }
}

extension Lent: WorkerArgument {
    /// A `memoryview` of a copy, which is copied back if Python may write to it; of shared memory itself, no copy. Once the call is over it is no
    /// longer mapped: a view that is left is an error.
    public borrowing func encode(to call: inout WorkerCall) throws(PythonError) {
        if case .storage(let storage) = owner, storage.mapping != nil {
            let offset = unsafe base - storage.base
            return try call.append(
                storage, from: offset, count: count, of: Element.self, isReadOnly: isReadOnly, isLent: true)
        }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count * MemoryLayout<Element>.stride)
        try unsafe call.appendCopy(
            of: bytes, ArrayLayout(rowMajor: [count]), of: Element.self, isReadOnly: isReadOnly, isLent: true)
    }
}

extension PythonCallback: WorkerArgument {
    /// A function, which can be called as long as the call runs.
    public func encode(to call: inout WorkerCall) throws(PythonError) { try call.append(self) }
}

extension BufferAllocator: WorkerArgument {
    /// A function, which can be called as long as the call runs. Its memory is shared memory.
    public func encode(to call: inout WorkerCall) {
        call.writer.append(.allocator) { $0.append("\(Element.bufferFormat)") }
    }
}
