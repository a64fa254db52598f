import Glibc
import PythonBridge
import Testing

/// No payload byte is copied: numpy's address is Swift's.
@Suite struct AddressTests {
    let address: PythonFunction
    let values: PythonFunction

    init() throws {
        address = try TestPython.memory("address")
        values = try TestPython.memory("values")
    }

    @Test(arguments: elementTypes)
    func `a buffer with a copy of elements is at the same address`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try SharedBuffer<E>(contentsOf: E.samples)
            let seen: Int = try address(buffer)
            #expect(seen == buffer.address)
            let read: [E] = try values(buffer)
            #expect(read == E.samples)
        }
        try check(type)
    }

    @Test(arguments: elementTypes, [1, 1000, 100_000])
    func `a buffer of a capacity is at the same address`(type: any TestElement.Type, capacity: Int) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try SharedBuffer<E>(capacity: capacity)
            let seen: Int = try address(buffer)
            #expect(seen == buffer.address)
            let mutable = unsafe buffer.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }
            #expect(seen == mutable)
            #expect(seen.isMultiple(of: 64))
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `a shared array is at the array's address`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let array = E.samples
            let buffer = SharedBuffer(sharing: array)
            let seen: Int = try address(buffer)
            #expect(seen == array.address)
            #expect(seen == buffer.address)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `a mapped file is at the mapping's address and has its values`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            try withTemporaryDirectory { folder in
                let file = folder.path + "/samples"
                writeFile(unsafe E.samples.withUnsafeBytes { unsafe Array($0) }, to: file)
                let buffer = try SharedBuffer<E>(mapping: file)
                let seen: Int = try address(buffer)
                #expect(seen == buffer.address)
                let read: [E] = try values(buffer)
                #expect(read == E.samples)
                let part = try SharedBuffer<E>(mapping: file, byteOffset: 2 * MemoryLayout<E>.stride, count: 3)
                let readPart: [E] = try values(part)
                #expect(readPart == Array(E.samples[2..<5]))
            }
        }
        try check(type)
    }

    @Test(arguments: elementTypes, [1, 2, 3, -1, -2])
    func `a strided view starts at its first element`(type: any TestElement.Type, stride: Int) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try SharedBuffer<E>(contentsOf: E.samples)
            let start = stride > 0 ? 1 : 6
            let view = try buffer.strided(from: start, by: stride, count: 2)
            let seen: Int = try address(view)
            #expect(seen == buffer.address + start * MemoryLayout<E>.stride)
            let distance: Int = try TestPython.memory("stride")(view)
            #expect(distance == stride * MemoryLayout<E>.stride)
            let read: [E] = try values(view)
            #expect(read == Array(view))
            #expect(read == [E.samples[start], E.samples[start + stride]])
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `part of a buffer starts at its first element`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let part = try SharedBuffer<E>(contentsOf: E.samples).extracting(2..<5)
            let seen: Int = try address(part)
            #expect(seen == part.address)
            let read: [E] = try values(part)
            #expect(read == Array(E.samples[2..<5]))
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `a lent array is at the array's address`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let array = E.samples
            let seen: Int = try address(.lending(array))
            #expect(seen == array.address)
            let read: [E] = try values(.lending(array))
            #expect(read == E.samples)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `an array lent to be written to stays where it is`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            var array = E.samples
            let before = unsafe array.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }
            let seen: Int = try address(.lending(&array))
            #expect(seen == before)
            let after = unsafe array.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }
            #expect(seen == after)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `lent shared and raw memory is at its address`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try SharedBuffer<E>(capacity: 5)
            let shared: Int = try address(.lending(buffer))
            #expect(shared == buffer.address)
            let raw: Int = try unsafe buffer.withUnsafeBufferPointer { pointer throws(PythonError) in
                try unsafe address(.lending(pointer))
            }
            #expect(raw == buffer.address)
            let rawOutput: Int = try unsafe buffer.withUnsafeMutableBufferPointer { pointer throws(PythonError) in
                try unsafe address(.lending(pointer))
            }
            #expect(rawOutput == buffer.address)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `numpy gives its canonical dtype`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let isCanonical = try TestPython.memory("has_canonical_dtype")
            let buffer = try SharedBuffer<E>(contentsOf: E.samples)
            let shared: Bool = try isCanonical(buffer, E.dtype)
            let lent: Bool = try isCanonical(.lending(E.samples), E.dtype)
            let strided: Bool = try isCanonical(try buffer.strided(from: 6, by: -2, count: 4), E.dtype)
            let empty: Bool = try isCanonical(try SharedBuffer<E>(capacity: 0), E.dtype)
            #expect([shared, lent, strided, empty] == [true, true, true, true])
        }
        try check(type)
    }

    @Test func `two lent arrays keep their own addresses`() throws {
        let first = [1.0, 2]
        let second = [3, 4]
        let seen: [Int] = try TestPython.memory("both_addresses")(.lending(first), .lending(second))
        #expect(seen == [first.address, second.address])
    }
}
