public import PythonBridge

/// What a worker's function can return, and what a callback's arguments can be: numbers, text, optionals, lists, and memory.
public protocol WorkerResult: PythonResult {
    /// As what the worker sends it: `i`, `f`, `c`, `?`, `s`, `v` for memory, `n` for nothing at all; before another one `*` for a list, `!` for `None` or.
    static var workerKind: String { get }

    /// Reads a result.
    ///
    /// - Throws: ``WorkerError/python(_:)`` with `PythonError.conversion(expected:found:)` when it is out of range;
    ///   ``WorkerError/misbehaved(_:)`` when it is none.
    static func read(from reply: inout WorkerReply) throws(WorkerError) -> Self
}

/// What a worker answered, while it is read.
public struct WorkerReply: Sendable {
    private var reader: MessagePackReader
    private let source: any MemorySource

    init(_ reader: MessagePackReader, _ source: any MemorySource) {
        self.reader = reader
        self.source = source
    }

    /// Reads with the errors that a worker's are.
    mutating func read<R>(_ body: (inout MessagePackReader) throws(WireError) -> R) throws(WorkerError) -> R {
        do throws(WireError) {
            return try body(&reader)
        } catch {
            throw .misbehaved(error.description)
        }
    }

    /// - Throws: ``WorkerError/misbehaved(_:)`` unless all has been read.
    func finish() throws(WorkerError) {
        guard reader.isAtEnd else { throw .misbehaved("a packet that goes on behind its end") }
    }

    /// The memory with a number, if this process has it and the worker was told of it.
    func storage(_ number: UInt64) -> SharedStorage? { source.storage(number) }

    /// Ends the worker that sent this.
    func endWorker() { source.endWorker() }
}

/// What knows the memory that a worker was told of.
protocol MemorySource: Sendable {
    func storage(_ number: UInt64) -> SharedStorage?
    func endWorker()
}

/// No result: whatever the function returns.
struct IgnoredResult: WorkerResult {
    static var workerKind: String { "n" }

    static func read(from reply: inout WorkerReply) throws(WorkerError) -> IgnoredResult {
        guard try reply.read({ (reader) throws(WireError) in try reader.readNil() }) else {
            throw .misbehaved("a result that nobody asked for")
        }
        return IgnoredResult()
    }

    static func read(_ value: borrowing PythonValue) -> IgnoredResult { IgnoredResult() }
}

extension Int: WorkerResult {}
extension Int64: WorkerResult {}
extension Int32: WorkerResult {}
extension Int16: WorkerResult {}
extension Int8: WorkerResult {}
extension UInt: WorkerResult {}
extension UInt64: WorkerResult {}
extension UInt32: WorkerResult {}
extension UInt16: WorkerResult {}
extension UInt8: WorkerResult {}

extension FixedWidthInteger where Self: WorkerResult {
    /// An `int`, or what has `__index__`.
    public static var workerKind: String { "i" }

    /// Reads an integer.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Self {
        let value = try reply.read { (reader) throws(WireError) in try reader.readInteger(as: Self.self) }
        guard let value else { throw .python(.conversion(expected: "\(Self.self)", found: "an int out of its range")) }
        return value
    }
}

extension Double: WorkerResult {
    /// A `float`, an `int` or a scalar of numpy.
    public static var workerKind: String { "f" }

    /// Reads a number.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Double {
        try reply.read { (reader) throws(WireError) in try reader.readDouble() }
    }
}

extension Float: WorkerResult {
    /// As a `Double`.
    public static var workerKind: String { "f" }

    /// Reads a number, rounded.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Float {
        Float(try Double.read(from: &reply))
    }
}

extension Float16: WorkerResult {
    /// As a `Double`.
    public static var workerKind: String { "f" }

    /// Reads a number, rounded.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Float16 {
        Float16(try Double.read(from: &reply))
    }
}

extension Complex: WorkerResult {
    /// A `complex`, or a real number.
    public static var workerKind: String { "c" }

    /// Reads a number, its parts rounded.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Complex {
        let (real, imaginary) = try reply.read { (reader) throws(WireError) in try reader.readComplex() }
        return Complex(Part(real), Part(imaginary))
    }
}

extension Bool: WorkerResult {
    /// `True` or `False`, numpy's included.
    public static var workerKind: String { "?" }

    /// Reads a truth value.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Bool {
        try reply.read { (reader) throws(WireError) in try reader.readBool() }
    }
}

extension String: WorkerResult {
    /// A `str`.
    public static var workerKind: String { "s" }

    /// Reads text.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> String {
        let text = try reply.read { (reader) throws(WireError) in try reader.readString() }
        MemoryLedger.countCopy(byteCount: text.utf8.count)
        return text
    }
}

extension Optional: WorkerResult where Wrapped: WorkerResult {
    /// `None`, or what it may be else.
    public static var workerKind: String { "!" + Wrapped.workerKind }

    /// Reads nil for `None`.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> Wrapped? {
        if try reply.read({ (reader) throws(WireError) in try reader.readNil() }) { return nil }
        return try Wrapped.read(from: &reply)
    }
}

extension Array: WorkerResult where Element: WorkerResult {
    /// A list, a tuple, an array or any other iterable.
    public static var workerKind: String { "*" + Element.workerKind }

    /// Reads the items: copies.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> [Element] {
        let (count, remaining) = try reply.read { (reader) throws(WireError) in
            (try reader.readArray(), reader.remaining)
        }
        var items: [Element] = []
        items.reserveCapacity(Swift.min(count, remaining))
        for _ in 0..<count { items.append(try Element.read(from: &reply)) }
        MemoryLedger.countCopy(of: Element.self, count: items.count)
        return items
    }
}

extension SharedBuffer: WorkerResult {
    /// Anything with the buffer protocol.
    public static var workerKind: String { "v" }

    /// Reads a view: of the same memory, if it is what Swift passed or a `BufferAllocator` made; any other array of Python's is copied, once, into shared
    /// memory.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> SharedBuffer {
        let view = try WireView(from: &reply)
        let expected = "a contiguous one-dimensional view of \(Element.self)"
        let layout = try view.layout(of: Element.self, expected: expected)
        guard layout.shape.count == 1 else {
            throw .python(.conversion(expected: expected, found: "\(layout.shape.count) dimensions"))
        }
        guard layout.isRowMajor else {
            throw .python(.conversion(expected: expected, found: "a stride of \(view.strides[0]) bytes"))
        }
        return try view.buffer(layout, expected: expected)
    }
}

extension SharedArray: WorkerResult {
    /// Anything with the buffer protocol.
    public static var workerKind: String { "v" }

    /// Reads a view, as of a `SharedBuffer`.
    public static func read(from reply: inout WorkerReply) throws(WorkerError) -> SharedArray {
        let view = try WireView(from: &reply)
        let expected = "a view of \(Element.self)"
        let layout = try view.layout(of: Element.self, expected: expected)
        let buffer: SharedBuffer<Element> = try view.buffer(layout, expected: expected)
        do throws(PythonError) {
            let offset = layout.count == 0 ? 0 : -(layout.positions?.lowerBound ?? 0)
            return try SharedArray(
                buffer, layout: ArrayLayout(shape: layout.shape, strides: layout.strides, offset: offset))
        } catch {
            throw .misbehaved("\(error)")
        }
    }
}

/// An array as a worker describes it. It lies where it says only if ``buffer(_:expected:)`` finds that it does.
private struct WireView {
    private let storage: SharedStorage?
    private let byteOffset: Int
    private let letters: String
    private let isReadOnly: Bool
    private let shape: [Int]
    let strides: [Int]

    init(from reply: inout WorkerReply) throws(WorkerError) {
        let number: UInt64
        (number, byteOffset, letters, isReadOnly, shape, strides) = try reply.read { (reader) throws(WireError) in
            var fields = try reader.readExtension(.view)
            guard try fields.readArray() == 6, let number = try fields.readInteger(as: UInt64.self) else {
                throw WireError("no view")
            }
            let place = (try fields.readInt(), try fields.readString(), try fields.readBool())
            let (shape, strides) = (try Self.lengths(&fields), try Self.lengths(&fields))
            guard shape.count == strides.count, fields.isAtEnd else { throw WireError("no view") }
            return (number, place.0, place.1, place.2, shape, strides)
        }
        storage = reply.storage(number)
    }

    private static func lengths(_ reader: inout MessagePackReader) throws(WireError) -> [Int] {
        let count = try reader.readArray()
        guard count <= ArrayLayout.maximumDimensions else { throw WireError("\(count) dimensions") }
        var lengths: [Int] = []
        for _ in 0..<count { lengths.append(try reader.readInt()) }
        return lengths
    }

    /// Where the elements are, counted from the first one.
    func layout<Element: BufferElement>(
        of type: Element.Type, expected: String
    ) throws(WorkerError) -> ArrayLayout {
        let size = MemoryLayout<Element>.stride
        if let difference = BufferFormat(letters).difference(from: type) {
            throw .python(.conversion(expected: expected, found: difference))
        }
        do throws(PythonError) {
            let isOdd = zip(shape, strides).contains { $0 > 1 && !$1.isMultiple(of: size) }
            guard !isOdd || shape.contains(0) else {
                throw .conversion(expected: expected, found: "a stride that is no whole number of elements")
            }
            return try ArrayLayout(shape: shape, strides: strides.map { $0 / size })
        } catch {
            throw .python(error)
        }
    }

    /// The memory from the lowest element to the highest.
    func buffer<Element: BufferElement>(
        _ layout: ArrayLayout, expected: String
    ) throws(WorkerError) -> SharedBuffer<Element> {
        guard let storage else {
            throw .python(.conversion(expected: expected, found: "memory that Swift has given back"))
        }
        let size = MemoryLayout<Element>.stride
        let bytes = SharedBuffer<UInt8>(
            storage: storage, byteOffset: 0, count: storage.byteCount,
            isWritableByPython: storage.isMutable && !isReadOnly)
        do throws(PythonError) {
            guard let positions = layout.positions else {
                return try SharedBuffer(reinterpreting: bytes, count: 0)
            }
            let (distance, isFar) = positions.lowerBound.multipliedReportingOverflow(by: size)
            let (start, isFarther) = byteOffset.addingReportingOverflow(distance)
            let (last, isLonger) = positions.upperBound.subtractingReportingOverflow(positions.lowerBound)
            guard !isFar, !isFarther, !isLonger, last < .max else {
                throw .invalidBuffer("an array outside of its memory")
            }
            return try SharedBuffer(reinterpreting: bytes, byteOffset: start, count: last + 1)
        } catch {
            throw .misbehaved("\(error)")
        }
    }
}
