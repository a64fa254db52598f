/// Memory that is lent to Python for one call, made by ``PythonArgument/lending(_:)-([E])`` and its kin.
///
/// After the call no view of it may be left: one that is comes back as ``PythonError/escape(_:)``. The value cannot outlive the
/// array that it was made from, nor can the array be used meanwhile if it was lent to be written to.
@safe
public struct Lent<Element: BufferElement>: ~Copyable, ~Escapable {
    /// What keeps the memory alive. The reference is not counted: the value cannot outlive what it was made from, and two
    /// counts less are a tenth of a call.
    @safe
    @usableFromInline
    enum Owner {
        /// The bits of an array, which are one reference.
        case array(UnsafeRawPointer)
        case storage(Unmanaged<SharedStorage>)
        /// Raw memory: its owner keeps it, the library cannot.
        case caller
    }

    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let count: Int
    @usableFromInline let isReadOnly: Bool
    @usableFromInline let owner: Owner

    @usableFromInline
    @_lifetime(immortal)
    init(base: UnsafeMutableRawPointer?, count: Int, isReadOnly: Bool, owner: Owner) {
        unsafe self.base = base ?? SharedStorage.placeholder
        self.count = count
        self.isReadOnly = isReadOnly
        self.owner = owner
    }
}

extension Lent: PythonArgument {
    /// Lends the memory until the call is over.
    @inlinable
    public borrowing func pass(to call: inout PythonCall) throws(PythonError) {
        try unsafe call.appendLent(
            base: base, count: count, itemSize: MemoryLayout<Element>.stride, format: Element.formatText,
            isReadOnly: isReadOnly)
    }

    /// Makes valid elements of what Python may have written: a `Bool` is 0 or 1.
    @inlinable
    public borrowing func lendDidEnd() {
        guard Element.self == Bool.self, !isReadOnly else { return }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
        for index in bytes.indices where unsafe bytes[index] > 1 { unsafe bytes[index] = 1 }
    }

    /// The array or the shared memory.
    @inlinable
    public var lendOwner: (any Sendable)? {
        switch owner {
        case .array(let bits): unsafe unsafeBitCast(bits, to: [Element].self)
        case .storage(let storage): unsafe storage.takeUnretainedValue()
        case .caller: nil
        }
    }
}

extension PythonArgument where Self: ~Copyable & ~Escapable {
    /// Lends an array to be read. A write raises in Python.
    ///
    /// If a view escapes, the array's memory lives as long as the view.
    @inlinable
    @_lifetime(borrow array)
    public static func lending<E>(_ array: borrowing [E]) -> Self where Self == Lent<E> {
        // An array's memory stays where and as it is while anyone holds the array.
        let base = unsafe array.withUnsafeBufferPointer { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
        let owner = unsafe Lent<E>.Owner.array(unsafeBitCast(copy array, to: UnsafeRawPointer.self))
        let lent = unsafe Lent<E>(base: base, count: array.count, isReadOnly: true, owner: owner)
        return unsafe _overrideLifetime(lent, borrowing: array)
    }

    /// Lends an array to be read and written to, in place.
    ///
    /// If a view escapes, the memory lives as long as the view; the array shares it with Python until the array changes next.
    @inlinable
    @_lifetime(&array)
    public static func lending<E>(_ array: inout [E]) -> Self where Self == Lent<E> {
        // This makes the memory the array's own. Nobody can use the array while the value lives, so it stays where it is.
        let base = unsafe array.withUnsafeMutableBufferPointer { UnsafeMutableRawPointer($0.baseAddress) }
        let owner = unsafe Lent<E>.Owner.array(unsafeBitCast(array, to: UnsafeRawPointer.self))
        let lent = unsafe Lent<E>(base: base, count: array.count, isReadOnly: false, owner: owner)
        return unsafe _overrideLifetime(lent, mutating: &array)
    }

    /// Lends shared memory: to be read, or written to as well if Python may write to the buffer.
    ///
    /// If a view escapes, the memory lives as long as the view.
    @inlinable
    @_lifetime(borrow buffer)
    public static func lending<E>(_ buffer: borrowing SharedBuffer<E>) -> Self where Self == Lent<E> {
        let lent = unsafe Lent<E>(
            base: buffer.base, count: buffer.count, isReadOnly: !buffer.isWritableByPython,
            owner: .storage(Unmanaged.passUnretained(buffer.storage)))
        return unsafe _overrideLifetime(lent, borrowing: buffer)
    }

    /// Lends raw memory to be read. A write raises in Python.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/lease`` has ended.
    @inlinable
    @_lifetime(immortal)
    @unsafe public static func lending<E>(_ memory: UnsafeBufferPointer<E>) -> Self where Self == Lent<E> {
        let base = unsafe UnsafeMutableRawPointer(mutating: memory.baseAddress)
        return unsafe Lent(base: base, count: memory.count, isReadOnly: true, owner: .caller)
    }

    /// Lends raw memory to be read and written to.
    ///
    /// The memory must be valid during the call. If a view escapes, it must be kept until ``PythonEscape/lease`` has ended.
    @inlinable
    @_lifetime(immortal)
    @unsafe public static func lending<E>(_ memory: UnsafeMutableBufferPointer<E>) -> Self where Self == Lent<E> {
        unsafe Lent(base: memory.baseAddress, count: memory.count, isReadOnly: false, owner: .caller)
    }
}
