import PythonBridge
import Testing

/// Who may write where, and who sees it.
@Suite struct WritingTests {
    let fill: PythonFunction

    init() throws {
        fill = try TestPython.memory("fill")
    }

    @Test(arguments: elementTypes)
    func `Swift sees what Python writes to a shared output`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let output = try SharedBuffer<E>(capacity: E.samples.count)
            try fill(output, E.samples)
            #expect(Array(output) == E.samples)
            let raw = unsafe output.withUnsafeBufferPointer { unsafe Array($0) }
            #expect(raw == E.samples)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `Swift sees what Python writes to a lent array`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            var output = Array(try SharedBuffer<E>(capacity: E.samples.count))
            try fill(.lending(&output), E.samples)
            #expect(output == E.samples)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `Python copies one lent array to another`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            var output = Array(try SharedBuffer<E>(capacity: E.samples.count))
            let count: Int = try TestPython.memory("copy")(.lending(E.samples), .lending(&output))
            #expect(count == E.samples.count)
            #expect(output == E.samples)
        }
        try check(type)
    }

    @Test func `Python sees what Swift writes after the buffer was passed`() throws {
        let buffer = try SharedBuffer<Double>(capacity: 3)
        try TestPython.memory("keep_array")(buffer, "written later")
        buffer[1] = 42
        unsafe buffer.withUnsafeMutableBufferPointer { unsafe $0[2] = -1 }
        let seen: [Double] = try TestPython.memory("kept_values")("written later")
        #expect(seen == [0, 42, -1])
        try TestPython.memory("forget")("written later")
    }

    @Test(arguments: elementTypes)
    func `a write to an input raises and changes nothing`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let byView = try TestPython.memory("set_first")
            let byNumpy = try TestPython.memory("set_first_by_numpy")
            let array = E.samples
            let input = try SharedBuffer<E>(contentsOf: array)
            let sharing = SharedBuffer(sharing: array)
            let output = try SharedBuffer<E>(capacity: 2)
            let view = try output.strided(from: 0, by: 1, count: 2)
            let value = E.samples[1]
            // memoryview has no complex items; numpy has.
            let kinds = [
                E.self is any AnyComplex.Type ? "NotImplementedError" : "TypeError", "ValueError", "ValueError",
            ]
            for buffer in [input, sharing, output.readOnly, output.readOnly.extracting(0..<1)] {
                let errors = [
                    thrown { try byView(buffer, value) },
                    thrown { try byNumpy(buffer, value) },
                    thrown { try byNumpy(.lending(buffer), value) },
                ]
                #expect(errors.map { $0?.exception?.type } == kinds)
            }
            let errors = [
                thrown { try byView(.lending(array), value) },
                thrown { try byNumpy(view, value) },
                unsafe array.withUnsafeBufferPointer { pointer in
                    thrown { try unsafe byNumpy(.lending(pointer), value) }
                },
            ]
            #expect(errors.map { $0?.exception?.type } == kinds)
            #expect(array == E.samples)
            #expect(Array(input) == E.samples)
            let untouched = Array(try SharedBuffer<E>(capacity: 2))
            #expect(Array(output) == untouched)
        }
        try check(type)
    }

    @Test func `raw memory lent to be written to is written to`() throws {
        let buffer = try SharedBuffer<Int16>(capacity: 2)
        try unsafe buffer.withUnsafeMutableBufferPointer { pointer throws(PythonError) in
            try unsafe fill(.lending(pointer), [7, -7] as [Int16])
        }
        #expect(Array(buffer) == [7, -7])
    }

    @Test func `a copy of an array does not see what is written to the array`() throws {
        var array = [1, 2, 3]
        let copy = array
        try fill(.lending(&array), [9, 9, 9])
        #expect(array == [9, 9, 9])
        #expect(copy == [1, 2, 3])
    }

    @Test func `a shared array stays as it was when Swift changes the array`() throws {
        var array = [1, 2, 3]
        let buffer = SharedBuffer(sharing: array)
        array[0] = 9
        let seen: [Int] = try TestPython.memory("values")(buffer)
        #expect(seen == [1, 2, 3])
        #expect(array == [9, 2, 3])
    }

    @Test func `what Python wrote before it raised is there`() throws {
        var array = [1, 2, 3]
        let error = thrown {
            try TestPython.memory("fill")(.lending(&array), keywords: ["values": [7, 8]])
        }
        #expect(error?.exception?.type == "ValueError")
        try fill(.lending(&array), 5)
        #expect(array == [5, 5, 5])
    }

    @Test(arguments: [2, 128, 255])
    func `any byte but 0 in shared memory of Bool reads as true`(byte: Int) throws {
        let flags = try SharedBuffer<Bool>(capacity: 3)
        try TestPython.memory("set_bytes")(flags, byte)
        #expect(flags.allSatisfy { $0 })
        #expect(flags[0] == true)
        let view = try flags.strided(from: 2, by: -1, count: 3)
        #expect(view.allSatisfy { $0 })
    }

    @Test(arguments: [2, 128, 255])
    func `any byte but 0 in a lent array of Bool reads as true`(byte: Int) throws {
        var flags = [false, false, false]
        try TestPython.memory("set_bytes")(.lending(&flags), byte)
        #expect(flags.map { $0 ? 1 : 0 } == [1, 1, 1])
        #expect(flags == [true, true, true])
    }
}
