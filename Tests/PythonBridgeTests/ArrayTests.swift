import PythonBridge
import Testing

/// Arrays of any shape and strides, on both sides at one address.
@Suite struct ArrayTests {
    let description: PythonFunction
    let flat: PythonFunction

    init() throws {
        description = try arrays("description")
        flat = try arrays("flat")
    }

    /// Expects numpy to see an array of `layout` where the memory is that starts at `address`.
    func expect<E: TestElement>(
        _ seen: [[Int]], of layout: ArrayLayout, at address: Int, isWritable: Bool, _: E.Type, _ comment: Comment
    ) {
        let size = MemoryLayout<E>.stride
        if layout.count > 0 { #expect(seen[0] == [address + layout.offset * size], comment) }
        #expect(seen[1] == layout.shape, comment)
        #expect(seen[2] == layout.strides.map { $0 * size }, comment)
        let flags = [isWritable, layout.isRowMajor, layout.isColumnMajor]
        #expect(seen[3] == flags.map { $0 ? 1 : 0 }, comment)
    }

    @Test(arguments: elementTypes)
    func `numpy sees a shared array where and as Swift has it`(type: any TestElement.Type) throws {
        #expect(Shape.all.count == 114)
        func check<E: TestElement>(_: E.Type) throws {
            for shape in Shape.all {
                let memory = shape.memory(of: E.self)
                let input = try SharedArray(SharedBuffer(contentsOf: memory), layout: shape.layout)
                let output = try SharedArray(SharedBuffer<E>(capacity: memory.count), layout: shape.layout)
                for array in [input, output, output.readOnly] {
                    expect(
                        try description(array), of: shape.layout, at: array.buffer.address,
                        isWritable: array.isWritableByPython, E.self, shape.comment)
                }
                #expect(output.isWritableByPython == !shape.isRepeating, shape.comment)
                #expect(!input.isWritableByPython && !output.readOnly.isWritableByPython)
                let values: [E] = try flat(input)
                #expect(values == shape.expected(in: memory), shape.comment)
                #expect(input.elements == shape.expected(in: memory), shape.comment)
            }
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `numpy sees a lent array where and as Swift has it`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            for shape in Shape.all {
                var memory = shape.memory(of: E.self)
                let expected = shape.expected(in: memory)
                let address = memory.address
                let read: [[Int]] = try description(.lending(memory, shape.layout))
                expect(read, of: shape.layout, at: address, isWritable: false, E.self, shape.comment)
                let values: [E] = try flat(.lending(memory, shape.layout))
                #expect(values == expected, shape.comment)
                let write: [[Int]] = try description(.lending(&memory, shape.layout))
                expect(write, of: shape.layout, at: address, isWritable: !shape.isRepeating, E.self, shape.comment)
                #expect(memory.address == address)
                let array = try SharedArray(SharedBuffer(contentsOf: memory), layout: shape.layout)
                let shared: [[Int]] = try description(.lending(array))
                expect(shared, of: shape.layout, at: array.buffer.address, isWritable: false, E.self, shape.comment)
                let raw: [[Int]] = try unsafe memory.withUnsafeBufferPointer { memory throws(PythonError) in
                    try unsafe description(.lending(memory, shape.layout))
                }
                expect(raw, of: shape.layout, at: address, isWritable: false, E.self, shape.comment)
                let rawOutput: [[Int]] = try unsafe memory.withUnsafeMutableBufferPointer {
                    memory throws(PythonError) in
                    try unsafe description(.lending(memory, shape.layout))
                }
                expect(rawOutput, of: shape.layout, at: address, isWritable: !shape.isRepeating, E.self, shape.comment)
            }
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `a shared array comes back from Python as the same memory`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let identity = try TestPython.fixture("identity", in: "values")
            for shape in Shape.all {
                let memory = shape.memory(of: E.self)
                let array = try SharedArray(SharedBuffer(contentsOf: memory), layout: shape.layout)
                let back: SharedArray<E> = try identity(array)
                #expect(back.shape == shape.layout.shape, shape.comment)
                #expect(back.elements == shape.expected(in: memory), shape.comment)
                let seen: PythonArray<E> = try identity(array)
                #expect(seen.layout.strides == shape.layout.strides, shape.comment)
                #expect(seen.elements == shape.expected(in: memory), shape.comment)
                guard array.count > 0 else { continue }
                let first = array.buffer.address + shape.layout.offset * MemoryLayout<E>.stride
                #expect(back.buffer.address + back.layout.offset * MemoryLayout<E>.stride == first, shape.comment)
                #expect(unsafe seen.withUnsafePointer { Int(bitPattern: $0) } == first, shape.comment)
            }
        }
        try check(type)
    }

    // One after the other: Int and Int64 are one dtype, by which Python remembers what it made.
    @Test(.serialized, arguments: elementTypes)
    func `Swift sees an array of Python's where and as numpy has it`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let make = try arrays("make")
            let names: [String] = try TestPython.start().evaluate(
                "list(__import__('Tests.Fixtures.arrays').Fixtures.arrays.MADE)")
            #expect(names.count == 16)
            for name in names {
                let result: PythonArray<E> = try make(name, E.samples, E.dtype, "\(E.self)")
                let numpys: PythonObject = try arrays("made")("\(E.self)")
                let seen: [[Int]] = try description(numpys)
                #expect(unsafe result.withUnsafePointer { Int(bitPattern: $0) } == seen[0][0], "\(name)")
                #expect(result.shape == seen[1], "\(name)")
                // numpy exports a stride of its own choice where none is ever taken.
                for (dimension, length) in result.shape.enumerated() where length > 1 && result.count > 0 {
                    let stride = seen[2][dimension]
                    #expect(result.layout.strides[dimension] * MemoryLayout<E>.stride == stride, "\(name)")
                }
                #expect(
                    [result.layout.isRowMajor, result.layout.isColumnMajor] == seen[3][1...].map { $0 == 1 }, "\(name)")
                let values: [E] = try flat(numpys)
                #expect(result.elements == values, "\(name)")
            }
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `a write arrives at its own element of a matrix, and nowhere else`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let set = try arrays("set_item")
            let value = E.samples[1]
            for shape in Shape.all where shape.layout.shape.count == 2 && shape.layout.count > 0 && !shape.isRepeating {
                let indices = shape.layout.shape.map { $0 / 2 }
                let position = zip(indices, shape.layout.strides).reduce(shape.layout.offset) { $0 + $1.0 * $1.1 }
                var lent = [E](repeating: E.samples[0], count: shape.available)
                var expected = lent
                expected[position] = value
                try set(.lending(&lent, shape.layout), indices, value)
                #expect(lent == expected, shape.comment)

                let shared = try SharedArray(SharedBuffer<E>(capacity: shape.available), layout: shape.layout)
                for position in shared.buffer.indices { shared.buffer[position] = E.samples[0] }
                try set(shared, indices, value)
                #expect(Array(shared.buffer) == expected, shape.comment)
                #expect(shared[indices[0], indices[1]] == value)
                shared[indices[0], indices[1]] = E.samples[0]
                shared[0, 0] = value
                let seen: [E] = try flat(shared)
                #expect(seen == [value] + Array(repeating: E.samples[0], count: shape.layout.count - 1), shape.comment)
            }
        }
        try check(type)
    }

    @Test func `a write to an array that repeats an element raises`() throws {
        let set = try arrays("set_item")
        let repeated = try SharedArray<Int>(shape: [3]).broadcast(to: [2, 3])
        var memory = [1, 2, 3]
        let layout = try ArrayLayout(shape: [3, 2], strides: [1, 0])
        let errors = [
            thrown { try set(repeated, [0, 0], 7) }, thrown { try set(.lending(repeated), [0, 0], 7) },
            thrown { try set(.lending(&memory, layout), [0, 0], 7) },
        ]
        #expect(errors.map { $0?.exception?.type } == Array(repeating: "ValueError", count: 3))
        #expect(memory == [1, 2, 3])
        #expect(repeated.elements == [0, 0, 0, 0, 0, 0])
    }

    @Test(arguments: elementTypes)
    func `an array of 64 dimensions passes, and none of 65`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let shape = Array(repeating: 1, count: 62) + [2, 3]
            let memory = Array(E.samples.prefix(6))
            let array = try SharedArray(SharedBuffer(contentsOf: memory), shape: shape)
            let extents: [[Int]] = try arrays("extents")(array)
            #expect(extents[0] == shape)
            #expect(extents[1].suffix(2) == [3, 1].map { $0 * MemoryLayout<E>.stride })
            let lent: [[Int]] = try arrays("extents")(.lending(memory, array.layout))
            #expect(lent == extents)
            let back: SharedArray<E> = try TestPython.fixture("identity", in: "values")(array)
            #expect(back.layout == array.layout)
            #expect(back.elements == memory)
            let last = shape.map { $0 - 1 }
            if !(E.self is any AnyComplex.Type) && E.self != Float16.self {  // of which memoryview has no items
                let item: E = try arrays("item")(array, last)
                #expect(item == memory[5])
            }
            #expect(thrown { _ = try SharedArray<E>(shape: [1] + shape) }?.description.contains("64") == true)
        }
        try check(type)
    }

    // MARK: - Less than strides

    static let readers = [
        "bytes", "bytearray", "frombuffer", "hashlib", "crc32", "hexlify", "unpack_from", "join", "array", "bytes io",
        "text", "file", "socket", "translate",
    ]

    @Test(arguments: readers)
    func `a consumer that knows no strides gets the right bytes, or none`(name: String) throws {
        let read = try arrays("read_by")
        for shape in Shape.all where shape.available >= 16 {
            let memory = (0..<shape.available).map { UInt8(truncatingIfNeeded: 1 + 7 * $0) }
            let layout = shape.layout
            guard layout.count >= 16 else { continue }
            let outcomes: [String] = [
                try read(name, .lending(memory, layout)),
                try read(name, try SharedArray(SharedBuffer(contentsOf: memory), layout: layout)),
            ]
            for outcome in outcomes {
                let isRefusal = !layout.isRowMajor && ["BufferError", "TypeError"].contains(outcome)
                #expect(outcome == "the same" || isRefusal, shape.comment)
            }
        }
        let scattered = try SharedBuffer<UInt8>(capacity: 64).strided(from: 0, by: 2, count: 32)
        let outcome: String = try read(name, scattered)
        #expect(["the same", "BufferError", "TypeError"].contains(outcome))
    }

    @Test(arguments: ["file", "bytes io", "socket", "pack_into", "ctypes"])
    func `a consumer that knows no strides writes the right bytes, or none`(name: String) throws {
        let write = try arrays("write_by")
        let ones = [UInt8](repeating: 1, count: 16)
        var line = ones
        var columns = ones
        let written: String = try write(name, .lending(&line))
        #expect(written == "")
        #expect(line == [UInt8](repeating: 0, count: 16))
        let transposed = try ArrayLayout(columnMajor: [4, 4])
        let strided: String = try write(name, .lending(&columns, transposed))
        #expect(["BufferError", "TypeError"].contains(strided))
        #expect(columns == ones)
        let refusal: String = try write(name, .lending(ones))
        #expect(["BufferError", "TypeError"].contains(refusal))
        #expect(ones.allSatisfy { $0 == 1 })
    }

    @Test func `the exporter answers every request as CPython's memoryview does`() throws {
        let unlike = try arrays("unlike_memoryview")
        // Of nothing, everything is contiguous; memoryview overlooks that where a stride is negative.
        for shape in Shape.all where shape.layout.count > 0 {
            let output = try SharedArray(SharedBuffer<Double>(capacity: shape.available), layout: shape.layout)
            for array in [output, output.readOnly] {
                let differences: [String] = try unlike(array)
                #expect(differences == [], shape.comment)
            }
        }
    }

    // MARK: - Refusals

    @Test(arguments: [
        ("foreign byte order", "elements of foreign byte order ('>d')"), ("misaligned", "misaligned memory"),
        ("float32", "elements of format 'f'"), ("int64", "elements of format 'l'"),
        ("long double", "elements of format 'g'"), ("complex", "elements of format 'Zd'"),
        ("objects", "elements of format 'O'"), ("a structure", "elements of format 'T{"),
        ("text", "elements of format '1w'"), ("void", "elements of format '8x'"),
        ("an odd stride", "a stride of 12 bytes, which is no whole number of elements of 8"),
        ("an odd column", "a stride of 12 bytes, which is no whole number of elements of 8"),
        ("pointers to rows", "suboffset"), ("dates", "dtype"), ("a released view", "released"),
        ("a number", "float"), ("a list", "list"), ("two numbers an item", "elements of format 'dd'"),
        ("an array interface", "Interface"),
    ])
    func `an array that Swift cannot read is refused, and the message says why`(name: String, why: String) throws {
        let odd = try arrays("odd")
        let errors = [
            thrown { let _: PythonArray<Double> = try odd(name) },
            thrown { let _: SharedArray<Double> = try odd(name) },
        ]
        for error in errors { #expect(error?.description.contains(why) == true, "\(String(describing: error))") }
        #expect(thrown { let _: PythonBuffer<Double> = try odd(name) } != nil)
        #expect(thrown { let _: SharedBuffer<Double> = try odd(name) } != nil)
    }

    @Test(arguments: elementTypes, elementTypes)
    func `an array is read as its own type and no other`(type: any TestElement.Type, other: any TestElement.Type) throws
    {
        func check<E: TestElement, F: TestElement>(_: E.Type, _: F.Type) throws {
            let error = thrown {
                let _: PythonArray<F> = try arrays("make")("a line", E.samples, E.dtype, "\(E.self) as \(F.self)")
            }
            #expect((error == nil) == (E.dtype == F.dtype))
            #expect(error?.isConversion != false)
            let shared = thrown {
                let _: SharedArray<F> = try TestPython.fixture("identity", in: "values")(
                    SharedBuffer(sharing: E.samples))
            }
            #expect((shared == nil) == (E.dtype == F.dtype))
        }
        try check(type, other)
    }

    // MARK: - Layouts

    @Test(arguments: [
        ([2, 3], [1]), ([-1], [1]), ([2, -3], [3, 1]), ([.max, 2], [1, 1]), ([.max], [2]), ([2, 2], [.max, .max]),
        ([2], [.min]), ([0, .max, 2], [1, 1, 1]),
    ])
    func `a layout that makes no sense throws`(shape: [Int], strides: [Int]) throws {
        let error = thrown { _ = try ArrayLayout(shape: shape, strides: strides, offset: -1) }
        guard case .invalidBuffer = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        ([2, 3], [3, 1], 1), ([2, 3], [3, 1], -1), ([2, 3], [-3, 1], 0), ([7], [1], 0), ([2], [6], 0), ([1], [1], 6),
        ([0], [1], 7), ([0], [1], -1), ([2, 2], [4, -4], 1),
    ])
    func `a layout that leaves its memory throws, shared or lent`(shape: [Int], strides: [Int], offset: Int) throws {
        var memory = [1, 2, 3, 4, 5, 6]
        let layout = try ArrayLayout(shape: shape, strides: strides, offset: offset)
        let errors = [
            thrown { _ = try SharedArray(SharedBuffer(sharing: memory), layout: layout) },
            thrown { try flat(.lending(memory, layout)) }, thrown { try flat(.lending(&memory, layout)) },
        ]
        for error in errors {
            guard case .invalidBuffer = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: [1 << 60, 1 << 61, (1 << 61) + 1])
    func `an element repeated beyond the bytes that 64 bits can count throws`(length: Int) throws {
        let layout = try ArrayLayout(rowMajor: [1]).broadcast(to: [length])
        for error in [
            thrown { _ = try SharedArray<Double>(shape: [1]).broadcast(to: [length]) },
            thrown { _ = try SharedArray(try SharedBuffer<Double>(capacity: 1), layout: layout) },
            thrown { try TestPython.memory("keep_array")(.lending([1.0], layout), "repeated") },
        ] {
            guard case .invalidBuffer = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }
}

/// A function of `Tests/Fixtures/arrays.py`.
private func arrays(_ function: String) throws(PythonError) -> PythonFunction {
    try TestPython.fixture(function, in: "arrays")
}

/// A layout, and how much memory it is within.
private struct Shape {
    let name: String
    let layout: ArrayLayout
    let available: Int

    var comment: Comment { "\(name) of \(layout.shape)" }

    /// Whether two indices mean one element.
    var isRepeating: Bool { layout.count > 1 && Set(positions).count < layout.count }

    /// The positions of the elements, the last index counting fastest.
    var positions: [Int] {
        zip(layout.shape, layout.strides).reduce([layout.offset]) { starts, dimension in
            starts.flatMap { start in (0..<dimension.0).map { start + $0 * dimension.1 } }
        }
    }

    func memory<E: TestElement>(of type: E.Type) -> [E] {
        (0..<available).map { E.samples[$0 % E.samples.count] }
    }

    func expected<E>(in memory: [E]) -> [E] { positions.map { memory[$0] } }

    /// From none to five dimensions, each in every manner.
    static let all: [Shape] = (try? (0...5).flatMap { try shapes(of: Array([4, 3, 1, 2, 5].prefix($0))) }) ?? []

    private static func shapes(of lengths: [Int]) throws(PythonError) -> [Shape] {
        let available = 2 * lengths.reduce(1, *) + 3
        let rows = try ArrayLayout(rowMajor: lengths)
        let sparse = try ArrayLayout(shape: lengths, strides: rows.strides.map { 2 * $0 }, offset: 1)
        var layouts = [
            ("rows", rows), ("columns", try ArrayLayout(columnMajor: lengths)), ("every other", sparse),
            ("transposed", rows.transposed), ("transposed every other", sparse.transposed),
            ("broadcast", try rows.broadcast(to: [3] + lengths)),
            ("one element", try ArrayLayout(rowMajor: lengths.map { _ in 1 })),
            ("one element repeated", try ArrayLayout(shape: lengths, strides: lengths.map { _ in 0 }, offset: 2)),
        ]
        for dimension in lengths.indices {
            layouts.append(("reversed", rows.reversed(along: dimension)))
            layouts.append(("reversed every other", sparse.reversed(along: dimension).transposed))
            var empty = lengths
            empty[dimension] = 0
            layouts.append(("empty", try ArrayLayout(rowMajor: empty)))
            layouts.append(("empty columns", try ArrayLayout(columnMajor: empty).reversed(along: dimension)))
        }
        layouts.append(("all reversed", lengths.indices.reduce(sparse) { $0.reversed(along: $1) }))
        return layouts.map { Shape(name: $0.0, layout: $0.1, available: available) }
    }
}
