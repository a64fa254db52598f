/// Memory that is lent to Python for one call, made by `.lending(array)` and its kin.
///
/// After the call no view of it may be left: one that is comes back as ``PythonError/escape(_:)``. The value cannot outlive the
/// array that it was made from, nor can the array be used meanwhile if it was lent to be written to.
@safe
public struct Lent<Element: BufferElement>: ~Copyable, ~Escapable {
    /// What keeps the memory alive.
    @safe
    @usableFromInline
    enum Owner {
        case array([Element])
        /// The bits of an array that nobody can use meanwhile: its one reference, not counted, so that it stays the only one.
        case exclusiveArray(UnsafeRawPointer)
        case storage(SharedStorage)
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
        case .array(let array): array
        case .exclusiveArray(let bits): unsafe ArrayMemory(bits)
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
    /// If a view escapes, the memory lives as long as the view; the array shares it with Python until the array changes next.
    @inlinable
    @_lifetime(&array)
    public static func lending<E>(_ array: inout [E]) -> Self where Self == Lent<E> {
        // This makes the memory the array's own. Nobody can use the array while the value lives, so it stays where it is.
        let base = unsafe array.withUnsafeMutableBufferPointer { UnsafeMutableRawPointer($0.baseAddress) }
        let owner = unsafe Lent<E>.Owner.exclusiveArray(unsafeBitCast(array, to: UnsafeRawPointer.self))
        let lent = unsafe Lent<E>(base: base, count: array.count, isReadOnly: false, owner: owner)
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
}

/// The heap object that holds an array's elements.
@safe
@usableFromInline
final class ArrayMemory: @unchecked Sendable {
    private let object: AnyObject

    /// Takes one count more on the object whose address an array consists of.
    @usableFromInline
    init(_ bits: UnsafeRawPointer) {
        object = unsafe Unmanaged<AnyObject>.fromOpaque(bits).takeUnretainedValue()
    }
}
