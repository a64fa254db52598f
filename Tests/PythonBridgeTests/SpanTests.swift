import PythonBridge
import Testing

/// Spans of the memory that both sides have, and spans that are lent.
@Suite struct SpanTests {
    let address: PythonFunction
    let fill: PythonFunction
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
        address = try TestPython.memory("address")
        fill = try TestPython.memory("fill")
        try python.run("import numpy as np")
    }

    func newArray<E: BufferElement>(_ arguments: [any PythonConvertible]) throws(PythonError) -> PythonBuffer<E> {
        try python.function("array", in: "numpy").call(arguments)
    }

    @Test(arguments: elementTypes)
    func `a buffer's span is its memory`(type: any TestElement.Type) throws {
        func check<E: TestElement & Numeric>(_: E.Type) throws {
            let values = try TestPython.memory("values")
            let shared = SharedBuffer(sharing: E.samples).extracting(1..<6)
            let pythons: PythonBuffer<E> = try newArray([E.samples, E.dtype])
            #expect(shared.span.elements == Array(E.samples[1..<6]))
            #expect(pythons.span.elements == E.samples)
            let seen: [Int] = [try address(shared), shared.address]
            #expect(seen == [shared.span.address, shared.span.address])
            let place = unsafe pythons.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
            #expect(pythons.span.address == place)
            let fromPython: [E] = try values(shared)
            #expect(fromPython == shared.span.elements)
        }
        if let type = type as? any (TestElement & Numeric).Type { try check(type) }
    }

    @Test(arguments: elementTypes)
    func `the span of an empty buffer is empty`(type: any TestElement.Type) throws {
        func check<E: TestElement & Numeric>(_: E.Type) throws {
            let pythons: PythonBuffer<E> = try newArray([[E](), E.dtype])
            let shared = try SharedBuffer<E>(capacity: 0)
            let lengths = [pythons.span.count, shared.span.count, SharedBuffer<E>(sharing: []).span.count]
            #expect(lengths == [0, 0, 0])
        }
        if let type = type as? any (TestElement & Numeric).Type { try check(type) }
    }

    @Test func `a span sums to what numpy's sum is`() throws {
        let squares: PythonBuffer<Int> = try python.evaluate("np.arange(100_000) ** 2")
        let sum: Int = try python.evaluate("int((np.arange(100_000) ** 2).sum())")
        #expect(squares.span.sum == sum)
        let shared = try SharedBuffer<Int>(contentsOf: squares)
        #expect(shared.span.sum == sum)
    }

    @Test func `a span sees what Python writes while it is there`() throws {
        let buffer = try SharedBuffer<Int>(capacity: 3)
        let span = buffer.span
        try fill(buffer, [7, 8, 9])
        #expect(span.elements == [7, 8, 9])
    }

    @Test func `a span keeps Python's array, whose name is gone`() throws {
        let numbers: PythonBuffer<Int> = try python.evaluate("np.arange(1000) * 3")
        let span = numbers.span
        try python.run("import gc; gc.collect(); spans = [np.full(1000, -1) for _ in range(64)]; del spans")
        #expect(span.elements == (0..<1000).map { $0 * 3 })
    }

    // MARK: - Lent

    @Test(arguments: elementTypes)
    func `a lent span is at its memory's address and has its elements`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let samples = E.samples
            let inlined: InlineArray<3, E> = [samples[0], samples[1], samples[2]]
            let part = samples[2..<6]
            try expect(samples.span, samples)
            try expect(inlined.span, Array(samples[..<3]))
            try expect(part.span, Array(part))
            try expect(samples.span.extracting(1..<3), Array(samples[1..<3]))
            try expect(CollectionOfOne(samples[1]).span, [samples[1]])
            try expect(Span<E>(), [])
            #expect(samples.span.address == samples.address)
            try unsafe samples.withUnsafeBufferPointer { try unsafe expect($0.span, samples) }
        }
        try check(type)
    }

    private func expect<E: TestElement>(_ span: Span<E>, _ elements: [E]) throws {
        let place: Int = try unsafe address(.lending(unsafe: span))
        if !span.isEmpty { #expect(place == span.address) }
        let values: [E] = try unsafe TestPython.memory("values")(.lending(unsafe: span))
        #expect(values == elements)
        let refusal = thrown { try unsafe fill(.lending(unsafe: span), elements) }
        #expect(refusal?.exception?.type == "ValueError")
    }

    @Test(arguments: elementTypes)
    func `what Python writes to a lent mutable span is there`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let zero = try SharedBuffer<E>(capacity: 1)[0]
            let values = Array(E.samples.prefix(3))
            var array = [zero, zero, zero]
            let place = array.address
            var span = array.mutableSpan
            try expectWrite(&span, values)
            #expect(array == values)
            #expect(array.address == place)

            var inlined: InlineArray<3, E> = [zero, zero, zero]
            var inlinedSpan = inlined.mutableSpan
            try expectWrite(&inlinedSpan, values)
            #expect([inlined[0], inlined[1], inlined[2]] == values)

            let longer = [zero, zero, zero, zero, zero]
            var part = longer[1..<4]
            var partSpan = part.mutableSpan
            try expectWrite(&partSpan, values)
            #expect(Array(part) == values)
            #expect(longer == [zero, zero, zero, zero, zero])

            let buffer = try SharedBuffer<E>(capacity: 3)
            try unsafe buffer.withUnsafeMutableBufferPointer { memory in
                var span = unsafe memory.mutableSpan
                try expectWrite(&span, values)
            }
            #expect(Array(buffer) == values)
        }
        try check(type)
    }

    private func expectWrite<E: TestElement>(_ span: inout MutableSpan<E>, _ values: [E]) throws {
        let place: Int = try unsafe address(.lending(unsafe: &span))
        let expected = unsafe span.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        #expect(place == expected)
        try unsafe fill(.lending(unsafe: &span), values)
    }

    @Test func `an empty mutable span can be lent`() throws {
        var array: [Double] = []
        var span = array.mutableSpan
        try unsafe fill(.lending(unsafe: &span), 1.0)
        #expect(array.isEmpty)
    }

    @Test(arguments: [2, 128, 255])
    func `any byte but 0 in a lent span of Bool reads as true`(byte: Int) throws {
        var flags = [false, false, false]
        var span = flags.mutableSpan
        try unsafe TestPython.memory("set_bytes")(.lending(unsafe: &span), byte)
        #expect(flags.map { $0 ? 1 : 0 } == [1, 1, 1])
        #expect(flags == [true, true, true])
    }
}

extension Span {
    fileprivate var address: Int { unsafe withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } }

    fileprivate var elements: [Element] { indices.map { self[$0] } }
}

extension Span where Element == Int {
    fileprivate var sum: Int { indices.reduce(0) { $0 + self[$1] } }
}
