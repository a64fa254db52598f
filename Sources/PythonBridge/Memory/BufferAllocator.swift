internal import CShim

/// Passed to a Python function, it lets Python ask for Swift memory while it runs, exactly as much as it needs.
///
/// ```python
/// def squares(samples, allocate):
///     result = allocate(len(samples))    # or a tuple, for more dimensions
///     np.square(samples, out=np.asarray(result))
///     return result
/// ```
/// ```swift
/// let result: SharedBuffer<Double> = try squares(.lending(samples), BufferAllocator<Double>())
/// ```
///
/// In Python it is a function of one argument, a length or a tuple of lengths, that returns a writable `memoryview` of zeroed
/// memory, aligned to 64 bytes. The memory belongs to both sides, like any ``SharedBuffer``: whoever holds it last gives it
/// back. Returned to Swift it is read as a ``SharedBuffer`` or a ``SharedArray``, without a copy. It raises `TypeError` and
/// `ValueError` for what is no length, and `MemoryError`.
public struct BufferAllocator<Element: BufferElement>: PythonConvertible, Sendable {
    /// An allocator. It has no state.
    public init() {}

    /// The Python function.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        let context = unsafe Unmanaged.passRetained(AllocatorContext(Self.self)).toOpaque()
        let function = unsafe cshim_function(
            context,
            { context, arguments, count in
                let context = unsafe Unmanaged<AllocatorContext>.fromOpaque(context).takeUnretainedValue()
                do throws(PythonError) {
                    return try unsafe context.allocate(arguments: UnsafeBufferPointer(start: arguments, count: count))
                } catch {
                    error.raise()
                    return nil
                }
            },
            { context in unsafe Unmanaged<AllocatorContext>.fromOpaque(context).release() })
        return unsafe try PythonValue(created: function)
    }
}

extension PythonError {
    /// Whether Python has no integer for what was to be one: an array of two lengths has `__index__`, and refuses.
    fileprivate var meansNoInteger: Bool {
        switch self {
        case .conversion: true
        case .exception(let exception): exception.type == "TypeError"
        default: false
        }
    }
}

/// What the Python function holds: the element type.
private final class AllocatorContext: Sendable {
    private let allocate: @Sendable (borrowing PythonValue) throws(PythonError) -> PythonValue

    init<Element: BufferElement>(_ type: BufferAllocator<Element>.Type) {
        allocate = { argument throws(PythonError) in
            let length: Int
            do throws(PythonError) {
                length = try Int.read(argument)
            } catch  where error.meansNoInteger {
                guard let shape = try Self.shape(of: argument) else {
                    throw .conversion(expected: "a length or a tuple of lengths", found: argument.typeName)
                }
                let array = try SharedArray<Element>(shape: shape)
                return try Self.count(array.buffer, as: array)
            }
            let buffer = try SharedBuffer<Element>(capacity: length)
            return try Self.count(buffer, as: buffer)
        }
    }

    /// The lengths, if it is iterable: one more at most than an array can have dimensions. They are no payload, so that the ledger
    /// leaves them out.
    private static func shape(of argument: borrowing PythonValue) throws(PythonError) -> [Int]? {
        guard let iterator = try argument.iterator() else { return nil }
        var shape: [Int] = []
        while shape.count <= ArrayLayout.maximumDimensions, let length = try iterator.next() {
            shape.append(try Int.read(length))
        }
        return shape
    }

    private static func count<Element: BufferElement>(
        _ buffer: SharedBuffer<Element>, as memory: some PythonConvertible
    ) throws(PythonError) -> PythonValue {
        cshim_ledger_add(.CSHIM_BYTES_ON_DEMAND, Int64(buffer.count * MemoryLayout<Element>.stride))
        return try unsafe memory.pythonValue()
    }

    func allocate(arguments: UnsafeBufferPointer<OpaquePointer>) throws(PythonError) -> OpaquePointer {
        guard arguments.count == 1 else {
            throw .conversion(expected: "one argument, a length or a tuple of lengths", found: "\(arguments.count)")
        }
        let value = try allocate(unsafe PythonValue(taking: cshim_retain(arguments[0])))
        return unsafe value.take()
    }
}
