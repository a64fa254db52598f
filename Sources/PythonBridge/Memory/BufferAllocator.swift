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
/// memory, aligned to 64 bytes. It is taken to be filled: from 4 MiB up it is in huge pages, as
/// ``SharedBuffer/init(capacity:hugePages:)`` says (of a worker it is shared memory, in the pages that this has). The memory belongs
/// to both sides, like any ``SharedBuffer``: whoever holds it last gives it back. Returned to Swift it is read as a
/// ``SharedBuffer`` or a ``SharedArray``, without a copy. It raises `TypeError` and `ValueError` for what is no length, and
/// `MemoryError`.
public struct BufferAllocator<Element: BufferElement>: PythonConvertible, Sendable {
    /// An allocator. It has no state.
    public init() {}

    /// The Python function.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        let function = HostFunction(arity: 1) { arguments in try Self.allocate(arguments.next()) }
        return try unsafe function.pythonValue()
    }

    private static func allocate(_ argument: borrowing PythonValue) throws(PythonError) -> PythonValue {
        let length: Int
        do throws(PythonError) {
            length = try Int.read(argument)
        } catch  where error.meansNoInteger {
            guard let shape = try shape(of: argument) else {
                throw .conversion(expected: "a length or a tuple of lengths", found: argument.typeName)
            }
            let array = try SharedArray<Element>(shape: shape, hugePages: true)
            return try count(array.buffer, as: array)
        }
        let buffer = try SharedBuffer<Element>(capacity: length, hugePages: true)
        return try count(buffer, as: buffer)
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

    private static func count(
        _ buffer: SharedBuffer<Element>, as memory: some PythonConvertible
    ) throws(PythonError) -> PythonValue {
        MemoryLedger.countOnDemand(byteCount: buffer.count * MemoryLayout<Element>.stride)
        return try unsafe memory.pythonValue()
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
