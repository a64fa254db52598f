internal import PythonBridge

/// One call while it is put together. A ``WorkerArgument`` appends itself to it.
public struct WorkerCall: ~Copyable {
    var writer: MessagePackWriter
    private(set) var memory: [PassedMemory] = []
    private(set) var callbacks: [UInt64: PythonCallback] = [:]
    private var copies: [WrittenCopy] = []
    /// Whether the worker is shown copies of what was passed.
    private(set) var holdsCopies = false
    private var position = 0

    /// - Parameter prefix: What has been written already.
    /// - Parameter arity: How many arguments there will be, or more.
    init(_ prefix: MessagePackWriter, arity: Int = 0) {
        writer = prefix
        memory.reserveCapacity(arity)
    }

    /// Appends an argument.
    ///
    /// - Throws: ``WorkerError/python(_:)`` when it cannot be passed.
    mutating func append<A: WorkerArgument & ~Copyable & ~Escapable>(argument: borrowing A) throws(WorkerError) {
        do throws(PythonError) {
            try argument.encode(to: &self)
        } catch {
            throw .python(error)
        }
        position += 1
    }

    /// Appends the keywords: names and values by turns.
    mutating func append(_ keywords: PythonKeywords?) throws(WorkerError) {
        guard let keywords else { return writer.appendNil() }
        writer.appendArray(count: 2 * keywords.entries.count)
        for (name, value) in keywords.entries {
            guard let value = value as? any WorkerArgument else {
                throw .python(.conversion(expected: "a value that can leave the process", found: "\(type(of: value))"))
            }
            writer.append(name)
            try append(argument: value)
        }
    }

    /// Appends the positions and numbers of what is lent.
    mutating func appendLent() {
        var count = 0
        for memory in memory where memory.isLent { count += 1 }
        writer.appendArray(count: count)
        for memory in memory where memory.isLent {
            writer.appendArray(count: 2)
            writer.append(memory.position)
            writer.append(memory.number)
        }
    }

    mutating func append(_ callback: PythonCallback) throws(PythonError) {
        let number = SharedMapping.makeNumber()
        var kinds: [String] = []
        for type in callback.argumentTypes {
            guard let type = type as? any WorkerResult.Type else {
                throw .conversion(expected: "a callback whose arguments can leave a process", found: "\(type)")
            }
            kinds.append(type.workerKind)
        }
        callbacks[number] = callback
        writer.append(.function) { writer in
            writer.appendArray(count: 2)
            writer.append(number)
            writer.appendArray(count: kinds.count)
            for kind in kinds { writer.append(kind) }
        }
    }

    /// Appends a view of elements of one dimension, so many of them apart, from `byteOffset` on: as by a layout, in less time.
    mutating func append<Element: BufferElement>(
        _ storage: SharedStorage, from byteOffset: Int, count: Int, stride: Int = 1, of type: Element.Type,
        isReadOnly: Bool, isLent: Bool = false
    ) throws(PythonError) {
        guard let mapping = storage.mapping else {
            let layout = try ArrayLayout(shape: [count], strides: [stride])
            return try append(storage, from: byteOffset, layout, of: type, isReadOnly: isReadOnly, isLent: isLent)
        }
        try storage.checkFile()
        let size = MemoryLayout<Element>.stride
        MemoryLedger.countShared(byteCount: count * size)
        let number = isLent ? SharedMapping.makeNumber() : mapping.number
        memory.append(PassedMemory(storage, number: number, position: position, isLent: isLent))
        appendView(number, count == 0 ? 0 : byteOffset, of: type, isReadOnly: isReadOnly) { writer in
            writer.appendArray(count: 1)
            writer.append(count)
            writer.appendArray(count: 1)
            writer.append(stride * size)
        }
    }

    /// Appends a view of memory whose layout counts from `byteOffset` on.
    mutating func append<Element: BufferElement>(
        _ storage: SharedStorage, from byteOffset: Int, _ layout: ArrayLayout, of type: Element.Type, isReadOnly: Bool,
        isLent: Bool = false
    ) throws(PythonError) {
        try storage.checkFile()
        let size = MemoryLayout<Element>.stride
        MemoryLedger.countShared(byteCount: layout.count * size)
        let first = byteOffset + layout.offset * size
        if let mapping = storage.mapping {
            let number = isLent ? SharedMapping.makeNumber() : mapping.number
            memory.append(PassedMemory(storage, number: number, position: position, isLent: isLent))
            return appendView(number, first, layout, of: type, isReadOnly: isReadOnly)
        }
        // From the first byte that an element has to the last.
        let span = layout.positions.map { byteOffset + $0.lowerBound * size..<byteOffset + ($0.upperBound + 1) * size }
        let range = span ?? 0..<0
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: storage.base + range.lowerBound, count: range.count)
        let moved = try ArrayLayout(
            shape: layout.shape, strides: layout.strides,
            offset: layout.count == 0 ? 0 : (first - range.lowerBound) / size)
        try unsafe appendCopy(of: bytes, moved, of: type, isReadOnly: isReadOnly, isLent: isLent)
        keep(storage)
    }

    /// Appends a view of a copy of memory, which is valid until the call is over.
    mutating func appendCopy<Element: BufferElement>(
        of bytes: UnsafeMutableRawBufferPointer, _ layout: ArrayLayout, of type: Element.Type, isReadOnly: Bool,
        isLent: Bool
    ) throws(PythonError) {
        holdsCopies = true
        let copy = try SharedBuffer<UInt8>(sharedMemoryCapacity: bytes.count)
        unsafe UnsafeMutableRawBufferPointer(start: copy.storage.base, count: bytes.count).copyMemory(
            from: UnsafeRawBufferPointer(bytes))
        MemoryLedger.countCopy(byteCount: bytes.count)
        guard let mapping = copy.storage.mapping else { preconditionFailure("shared memory is mapped") }
        memory.append(PassedMemory(copy.storage, number: mapping.number, position: position, isLent: isLent))
        if !isReadOnly { unsafe copies.append(WrittenCopy(original: bytes, copy: copy.storage)) }
        let size = MemoryLayout<Element>.stride
        appendView(mapping.number, layout.offset * size, layout, of: type, isReadOnly: isReadOnly)
    }

    private mutating func appendView<Element: BufferElement>(
        _ number: UInt64, _ byteOffset: Int, _ layout: ArrayLayout, of type: Element.Type, isReadOnly: Bool
    ) {
        appendView(number, layout.count == 0 ? 0 : byteOffset, of: type, isReadOnly: isReadOnly) { writer in
            writer.appendArray(count: layout.shape.count)
            for length in layout.shape { writer.append(length) }
            writer.appendArray(count: layout.strides.count)
            for stride in layout.strides { writer.append(stride * MemoryLayout<Element>.stride) }
        }
    }

    /// - Parameter lengths: Appends the lengths and then the strides in bytes.
    private mutating func appendView<Element: BufferElement>(
        _ number: UInt64, _ byteOffset: Int, of type: Element.Type, isReadOnly: Bool,
        lengths: (inout MessagePackWriter) -> Void
    ) {
        writer.append(.view) { writer in
            writer.appendArray(count: 6)
            writer.append(number)
            writer.append(byteOffset)
            writer.append(short: Element.bufferFormat.text)
            writer.append(isReadOnly)
            lengths(&writer)
        }
    }

    /// Keeps memory until the call is over.
    private var kept: [SharedStorage] = []
    private mutating func keep(_ storage: SharedStorage) { kept.append(storage) }

    /// Copies back what Python may have written. The arguments are still there.
    func takeBack() {
        for copy in copies {
            let written = unsafe UnsafeRawBufferPointer(start: copy.copy.base, count: copy.original.count)
            unsafe copy.original.copyMemory(from: written)
            MemoryLedger.countCopy(byteCount: unsafe copy.original.count)
        }
    }
}

/// Memory that a call names, which the worker must have mapped before.
struct PassedMemory: Sendable {
    let storage: SharedStorage
    /// What the call names it by: that of its mapping, or one of its own if it is lent.
    let number: UInt64
    /// Of the argument.
    let position: Int
    let isLent: Bool

    /// Counts with the passes of the memory's mapping.
    init(_ storage: SharedStorage, number: UInt64, position: Int, isLent: Bool) {
        storage.mapping?.countPass()
        self.storage = storage
        self.number = number
        self.position = position
        self.isLent = isLent
    }
}

/// Memory of an argument that Python may write to, and the copy that it writes to.
@safe
private struct WrittenCopy {
    let original: UnsafeMutableRawBufferPointer
    let copy: SharedStorage
}
