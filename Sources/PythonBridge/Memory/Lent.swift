/// Memory that is lent to Python for one call, made by `.lending(array)` and its kin: elements one after the other.
///
/// After the call no view of it may be left: one that is comes back as ``PythonError/escape(_:)``. The value cannot outlive the
/// array that it was made from, nor can the array be used meanwhile if it was lent to be written to.
@safe
public struct Lent<Element: BufferElement>: ~Copyable, ~Escapable {
    /// What keeps the memory alive.
    @safe
    @usableFromInline
    package enum Owner {
        case array([Element])
        /// The variable that holds the array, whose elements it shares with nobody and which nobody can use meanwhile.
        case exclusiveArray(UnsafeMutablePointer<[Element]>)
        case storage(SharedStorage)
        /// Raw memory: its owner keeps it, the library cannot.
        case caller
    }

    @usableFromInline let start: UnsafeMutableRawPointer
    @usableFromInline package let count: Int
    @usableFromInline package let isReadOnly: Bool
    @usableFromInline package let owner: Owner

    @usableFromInline
    @_lifetime(immortal)
    init(base: UnsafeMutableRawPointer?, count: Int, isReadOnly: Bool, owner: Owner) {
        unsafe start = base ?? SharedStorage.placeholder
        self.count = count
        self.isReadOnly = isReadOnly
        self.owner = owner
    }

    /// The first element.
    @inlinable package var base: UnsafeMutableRawPointer {
        guard case .exclusiveArray(let variable) = owner else { return unsafe start }
        // Asked anew each time: after an escape the variable has other memory. And whoever else holds the elements keeps them as they
        // are, since this makes them the variable's own.
        return unsafe variable.pointee.withUnsafeMutableBufferPointer { UnsafeMutableRawPointer($0.baseAddress) }
            ?? SharedStorage.placeholder
    }
}

extension Lent: PythonArgument {
    /// Lends the memory until the call is over. The value must live until then.
    @inlinable
    @unsafe public borrowing func pass(to call: inout PythonCall) throws(PythonError) {
        if case .storage(let storage) = owner { try storage.checkFile() }
        try unsafe call.appendLent(
            base: base, count: count, itemSize: MemoryLayout<Element>.stride, format: Element.formatText,
            isReadOnly: isReadOnly)
    }

    /// Makes valid elements of what Python may have written (a `Bool` is 0 or 1), and leaves the memory to Python if Python kept
    /// a view of it: the array goes on with a copy.
    @inlinable
    public borrowing func lendDidEnd(hasEscaped: Bool) {
        guard !isReadOnly, hasEscaped || Element.self == Bool.self else { return }
        endWriting(hasEscaped: hasEscaped)
    }

    @usableFromInline
    borrowing func endWriting(hasEscaped: Bool) {
        if hasEscaped, case .exclusiveArray(let variable) = owner {
            MemoryLedger.countCopy(byteCount: count * MemoryLayout<Element>.stride)
            unsafe variable.pointee = variable.pointee.withUnsafeBytes { bytes in
                (0..<count).map { index in
                    guard let base = bytes.baseAddress else { preconditionFailure("elements without memory") }
                    return unsafe Element.element(at: base + index * MemoryLayout<Element>.stride)
                }
            }
        } else if Element.self == Bool.self {
            let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
            for index in bytes.indices where unsafe bytes[index] > 1 { unsafe bytes[index] = 1 }
        }
    }

    /// The array or the shared memory.
    @inlinable
    public var lendOwner: (any Sendable)? {
        switch owner {
        case .array(let array): array
        case .exclusiveArray(let variable): unsafe variable.pointee
        case .storage(let storage): storage
        case .caller: nil
        }
    }
}

extension PythonArgument where Self: ~Copyable & ~Escapable {
    /// Lends an array to be read. A write raises in Python.
    ///
    /// If a view escapes, the array's memory lives as long as the view.
    @inlinable
    @_lifetime(immortal)
    public static func lending<E>(_ array: [E]) -> Self where Self == Lent<E> {
        // The value holds the array, whose memory stays where and as it is while anyone holds it.
        let base = unsafe array.withUnsafeBufferPointer { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
        return unsafe Lent(base: base, count: array.count, isReadOnly: true, owner: .array(array))
    }

    /// Lends an array to be read and written to, in place.
    ///
    /// If a view escapes, the memory is Python's from then on, and the array goes on with a copy of what it held then. Where the
    /// compiler finds that a "lifetime-dependent value escapes its scope", as with a class's property, lend a local variable or
    /// an `inout` parameter.
    @inlinable
    @_lifetime(&array)
    public static func lending<E>(_ array: inout [E]) -> Self where Self == Lent<E> {
        // Nobody can use the array while the value lives.
        let variable = unsafe withUnsafeMutablePointer(to: &array) { unsafe $0 }
        let lent = unsafe Lent<E>(base: nil, count: array.count, isReadOnly: false, owner: .exclusiveArray(variable))
        return unsafe _overrideLifetime(lent, mutating: &array)
    }

    /// Lends shared memory: to be read, or written to as well if Python may write to the buffer.
    ///
    /// If a view escapes, the memory lives as long as the view.
    @inlinable
    @_lifetime(immortal)
    public static func lending<E>(_ buffer: SharedBuffer<E>) -> Self where Self == Lent<E> {
        unsafe Lent(
            base: buffer.base, count: buffer.count, isReadOnly: !buffer.isWritableByPython,
            owner: .storage(buffer.storage))
    }

    /// Lends raw memory to be read. A write raises in Python.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/View/lease`` has ended.
    @inlinable
    @_lifetime(immortal)
    @unsafe public static func lending<E>(_ memory: UnsafeBufferPointer<E>) -> Self where Self == Lent<E> {
        let base = unsafe UnsafeMutableRawPointer(mutating: memory.baseAddress)
        return unsafe Lent(base: base, count: memory.count, isReadOnly: true, owner: .caller)
    }

    /// Lends raw memory to be read and written to.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/View/lease`` has ended.
    @inlinable
    @_lifetime(immortal)
    @unsafe public static func lending<E>(_ memory: UnsafeMutableBufferPointer<E>) -> Self where Self == Lent<E> {
        unsafe Lent(base: memory.baseAddress, count: memory.count, isReadOnly: false, owner: .caller)
    }

    /// Lends a span to be read. A write raises in Python.
    ///
    /// The compiler keeps the span's memory as it is during the call. It is unsafe all the same: nobody can keep the memory for a
    /// view that escapes, so its owner must do so until ``PythonEscape/View/lease`` has ended. An array or a ``SharedBuffer`` can be
    /// lent safely.
    @inlinable
    @_lifetime(copy span)
    @unsafe public static func lending<E>(unsafe span: Span<E>) -> Self where Self == Lent<E> {
        let base = unsafe span.withUnsafeBufferPointer { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
        let lent = unsafe Lent<E>(base: base, count: span.count, isReadOnly: true, owner: .caller)
        return unsafe _overrideLifetime(lent, copying: span)
    }

    /// Lends a span to be read and written to.
    ///
    /// It is unsafe for the reason that lending a `Span` is.
    @inlinable
    @_lifetime(&span)
    @unsafe public static func lending<E>(unsafe span: inout MutableSpan<E>) -> Self where Self == Lent<E> {
        let base = unsafe span.withUnsafeMutableBufferPointer { UnsafeMutableRawPointer($0.baseAddress) }
        let lent = unsafe Lent<E>(base: base, count: span.count, isReadOnly: false, owner: .caller)
        return unsafe _overrideLifetime(lent, mutating: &span)
    }
}
