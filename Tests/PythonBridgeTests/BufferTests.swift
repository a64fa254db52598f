import Glibc
import PythonBridge
import Testing

/// Sizes at the edges, and descriptions that make no sense.
@Suite struct BufferTests {
    @Test(arguments: elementTypes)
    func `empty memory of every kind can be passed`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let values = try TestPython.memory("values")
            let reserved = try SharedBuffer<E>(capacity: 0)
            let file = try withTemporaryDirectory { try SharedBuffer<E>(mapping: $0.write("", to: "empty")) }
            let view = try reserved.strided(from: 0, by: 3, count: 0)
            var array: [E] = []
            let none = unsafe UnsafeBufferPointer<E>(start: nil, count: 0)
            let noneToWrite = unsafe UnsafeMutableBufferPointer<E>(start: nil, count: 0)
            let seen: [[E]] = unsafe [
                try values(reserved), try values(try SharedBuffer<E>(contentsOf: [])),
                try values(SharedBuffer<E>(sharing: [])), try values(file), try values(view),
                try values(.lending([E]())), try values(.lending(&array)), try values(.lending(reserved)),
                try values(.lending(none)), try values(.lending(noneToWrite)),
                try values(reserved.extracting(0..<0)),
            ]
            #expect(seen.allSatisfy { $0.isEmpty })
            #expect(seen.count == 11)
        }
        try check(type)
    }

    @Test(arguments: elementTypes)
    func `one element can be passed`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let values = try TestPython.memory("values")
            let one = [E.samples[1]]
            let lent: [E] = try values(.lending(one))
            let shared: [E] = try values(SharedBuffer(sharing: one))
            let backwards: [E] = try values(try SharedBuffer(sharing: one).strided(from: 0, by: -1, count: 1))
            #expect([lent, shared, backwards] == [one, one, one])
        }
        try check(type)
    }

    @Test func `Python reaches beyond 2 to the 31 in memory that costs only what is touched`() async {
        await #expect(processExitsWith: .success) {
            let set = try TestPython.memory("set_last")
            let huge = try SharedBuffer<Int8>(capacity: (1 << 31) + 4096)
            let before = residentBytes()
            try set(huge, -7)
            try set(.lending(huge), -8)
            #expect(huge[huge.count - 1] == -8)
            let last: Int = try TestPython.memory("value_at")(huge, huge.count - 1)
            #expect(last == -8)
            #expect(huge[1 << 31] == 0)
            #expect(residentBytes() - before < 4 << 20)
        }
    }

    @Test(arguments: elementTypes, [-1, .min])
    func `a negative capacity throws`(type: any TestElement.Type, capacity: Int) {
        func check<E: TestElement>(_: E.Type) {
            let error = thrown { _ = try SharedBuffer<E>(capacity: capacity) }
            guard case .invalidBuffer = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        check(type)
    }

    @Test(arguments: elementTypes, [.max, .max - 63, .max / 2, 1 << 60])
    func `a capacity beyond the address space throws`(type: any TestElement.Type, capacity: Int) {
        func check<E: TestElement>(_: E.Type) {
            let error = thrown { _ = try SharedBuffer<E>(capacity: capacity) }
            guard case .outOfMemory = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        check(type)
    }

    @Test func `more elements than memory can hold throw rather than trap`() async {
        await #expect(processExitsWith: .success) {
            let error = thrown {
                _ = try SharedBuffer<Double>(contentsOf: repeatElement(0, count: .max))
            }
            guard case .outOfMemory = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: [
        (0, 1, 11), (0, 1, -1), (-1, 1, 1), (10, 1, 1), (9, -1, 11), (0, 3, 5), (1, .max, 3), (9, .min, 2),
    ])
    func `a strided view that leaves the buffer throws`(start: Int, stride: Int, count: Int) throws {
        let buffer = try SharedBuffer<Int>(capacity: 10)
        let error = thrown { _ = try buffer.strided(from: start, by: stride, count: count) }
        guard case .invalidBuffer = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `one element or none with an absurd stride can be passed`() async {
        await #expect(processExitsWith: .success) {
            let values = try TestPython.memory("values")
            let buffer = try SharedBuffer<Int>(contentsOf: [5, 6])
            for stride in [Int.max, .min, .max / 2] {
                let one: [Int] = try values(try buffer.strided(from: 1, by: stride, count: 1))
                let none: [Int] = try values(try buffer.strided(from: 1, by: stride, count: 0))
                #expect(one == [6])
                #expect(none == [])
            }
        }
    }

    @Test func `an element may be picked many times`() throws {
        let buffer = try SharedBuffer<Int>(contentsOf: [5, 6])
        let seen: [Int] = try TestPython.memory("values")(try buffer.strided(from: 1, by: 0, count: 3))
        #expect(seen == [6, 6, 6])
    }

    @Test(arguments: [(1, nil), (0, 4), (-8, nil), (4, 2), (32, 1), (0, -1)] as [(Int, Int?)])
    func `a part of a file that makes no sense throws`(offset: Int, count: Int?) throws {
        let error = try withTemporaryDirectory { folder in
            let file = folder.write(String(repeating: "x", count: 24), to: "three")
            return thrown {
                _ = try SharedBuffer<Double>(mapping: file, byteOffset: offset, count: count)
            }
        }
        guard case .invalidBuffer = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a file whose size does not come out even throws`() throws {
        let error = try withTemporaryDirectory { folder in
            let file = folder.write("nine byte", to: "odd")
            return thrown { _ = try SharedBuffer<Double>(mapping: file) }
        }
        #expect(error?.description.contains("whole number") == true)
    }

    @Test(arguments: [("/nonexistent", ENOENT), ("/tmp", EISDIR), ("/dev/null", ESPIPE), ("/etc/passwd/x", ENOTDIR)])
    func `a file that cannot be mapped throws the system's reason`(path: String, reason: Int32) {
        let error = thrown { _ = try SharedBuffer<UInt8>(mapping: path) }
        guard case .file(path, reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `Python can read a mapped file that is gone`() throws {
        let buffer = try withTemporaryDirectory { try SharedBuffer<UInt8>(mapping: $0.write("abc", to: "text")) }
        let seen: [UInt8] = try TestPython.memory("values")(buffer)
        #expect(seen == Array("abc".utf8))
    }
}
