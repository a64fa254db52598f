import Glibc
import PythonBridge
import Testing

/// Memory that is a file's, or shared with other processes: the same `SharedBuffer`.
@Suite struct MappedMemoryTests {
    let python: PythonInterpreter
    let fill: PythonFunction
    let values: PythonFunction

    init() throws {
        python = try TestPython.start()
        fill = try TestPython.memory("fill")
        values = try TestPython.memory("values")
    }

    func bytes(of file: String) throws -> [UInt8] {
        Array(try SharedBuffer<UInt8>(mapping: file))
    }

    // MARK: - Pages

    /// How many pages of a mapping are in memory. Source: mincore(2).
    private func residentPages(_ buffer: SharedBuffer<UInt8>) -> Int {
        var states = [UInt8](repeating: 0, count: buffer.count / Int(getpagesize()))
        let status = unsafe buffer.withUnsafeBufferPointer { memory in
            unsafe mincore(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count, &states)
        }
        return status == 0 ? states.count { $0 & 1 == 1 } : -1
    }

    @Test func `pages that are given back leave memory, and come back as they were`() throws {
        // Not on a file system in memory, which has nowhere to read them from.
        try withTemporaryDirectory(in: "/var/tmp") { folder in
            let file = folder.path + "/bytes"
            let (page, count) = (Int(getpagesize()), 4096)
            let size: Int = try python.evaluate(
                """
                (lambda file: [__import__('numpy').arange(\(count)).astype('u1').repeat(\(page)).tofile(file), file.flush(),
                    __import__('os').fsync(file.fileno()), file.tell()][-1])(open('\(file)', 'wb'))
                """)
            #expect(size == count * page)
            let buffer = try SharedBuffer<UInt8>(mapping: file)
            let firsts = try buffer.strided(from: 0, by: page, count: count)
            let values = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            #expect(Array(firsts) == values)
            #expect(residentPages(buffer) == count)
            buffer.extracting(page..<count * page).evict(0..<count / 2 * page)
            #expect((count / 2 - 512...count / 2 + 512).contains(residentPages(buffer)))
            buffer.evict(0..<count * page)
            #expect(residentPages(buffer) < 16)
            #expect(Array(firsts) == values)
        }
    }

    @Test func `memory that is no file's keeps what is in it`() throws {
        for buffer in [try SharedBuffer<Int>(capacity: 100_000), try SharedBuffer<Int>(sharedMemoryCapacity: 100_000)] {
            buffer[0] = 7
            buffer[99_999] = 8
            buffer.evict(0..<100_000)
            #expect(buffer[0] == 7 && buffer[99_999] == 8)
        }
    }

    @Test func `what was written to a file is not lost with its pages`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.path + "/numbers"
            writeFile([UInt8](repeating: 0, count: 1 << 20), to: file)
            let buffer = try SharedBuffer<Int>(mapping: file, access: .readWrite)
            for index in stride(from: 0, to: buffer.count, by: 100) { buffer[index] = index }
            buffer.evict(0..<buffer.count)
            #expect(stride(from: 0, to: buffer.count, by: 100).allSatisfy { buffer[$0] == $0 })
        }
    }

    // MARK: - Writable mappings

    @Test func `what Python and Swift write to a writable mapping is in the file`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.path + "/numbers"
            writeFile([UInt8](repeating: 0, count: 24), to: file)
            do {
                let buffer = try SharedBuffer<Int>(mapping: file, access: .readWrite)
                let address: Int = try TestPython.memory("address")(buffer)
                #expect(address == buffer.address)
                try fill(buffer, [1, 2, 3])
                buffer[1] = 7
                let seen: [Int] = try values(.lending(buffer))
                #expect(seen == [1, 7, 3])
            }
            let read = try SharedBuffer<Int>(mapping: file)
            #expect(Array(read) == [1, 7, 3])
            let byNumpy: [Int] = try python.evaluate("__import__('numpy').fromfile('\(file)', 'i8')")
            #expect(byNumpy == [1, 7, 3])
        }
    }

    @Test func `part of a writable mapping is writable, and its read-only side is not`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.path + "/numbers"
            writeFile([UInt8](repeating: 1, count: 8), to: file)
            let part = try SharedBuffer<UInt8>(mapping: file, byteOffset: 2, count: 3, access: .readWrite)
            try fill(part, 9)
            #expect(try bytes(of: file) == [1, 1, 9, 9, 9, 1, 1, 1])
            let failure = thrown { try fill(part.readOnly, 0) }
            #expect(failure?.exception?.type == "ValueError")
            let array = try SharedArray(part, shape: [3, 1])
            try fill(array, 8)
            #expect(try bytes(of: file) == [1, 1, 8, 8, 8, 1, 1, 1])
        }
    }

    @Test func `a read-only mapping is an input`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.path + "/numbers"
            writeFile([1, 2], to: file)
            let buffer = try SharedBuffer<UInt8>(mapping: file)
            #expect(thrown { try fill(buffer, 0) }?.exception?.type == "ValueError")
            let failure = thrown { try fill(.lending(buffer), 0) }
            #expect(failure?.exception?.type == "ValueError")
            #expect(try bytes(of: file) == [1, 2])
        }
    }

    @Test(arguments: [SharedBuffer<UInt8>.FileAccess.readOnly, .readWrite])
    func `what is no file is refused with the system's reason`(access: SharedBuffer<UInt8>.FileAccess) throws {
        try withTemporaryDirectory { folder in
            let pipe = folder.path + "/pipe"
            #expect(unsafe mkfifo(pipe, 0o600) == 0)
            let wanted = [folder.path: EISDIR, folder.path + "/none": ENOENT, "/dev/zero": ESPIPE]
            // To open a pipe for reading only waits for a writer.
            for (path, reason) in wanted.merging(access == .readWrite ? [pipe: ESPIPE] : [:], uniquingKeysWith: max) {
                guard case .file(path, reason) = thrown({ _ = try SharedBuffer<UInt8>(mapping: path, access: access) })
                else {
                    Issue.record("\(path)")
                    continue
                }
            }
        }
    }

    @Test(arguments: [SharedBuffer<UInt8>.FileAccess.readOnly, .readWrite])
    func `an empty file is an empty buffer`(access: SharedBuffer<UInt8>.FileAccess) throws {
        try withTemporaryDirectory { folder in
            let file = folder.write("", to: "empty")
            let buffer = try SharedBuffer<UInt8>(mapping: file, access: access)
            #expect(buffer.isEmpty)
            let seen: [Int] = try values(buffer)
            #expect(seen == [])
        }
    }

    // MARK: - Files that shrink

    @Test func `a file that was shortened is refused before Python touches it`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.path + "/shrinking"
            writeFile([UInt8](repeating: 1, count: 3 * 4096), to: file)
            let buffer = try SharedBuffer<UInt8>(mapping: file)
            #expect(unsafe truncate(file, 4096) == 0)
            let failures = [
                thrown { try values(buffer) },
                thrown { try values(.lending(buffer)) },
                thrown { try values(buffer.extracting(0..<1)) },
                thrown { try values(try buffer.strided(from: 0, by: 2, count: 2)) },
                thrown { try values(try SharedArray(buffer, shape: [2, 2])) },
                thrown { try values(.lending(try SharedArray(buffer, shape: [2, 2]))) },
                thrown { try values(Exporter(buffer)) },
            ]
            for failure in failures {
                guard case .invalidBuffer(let reason) = failure else {
                    Issue.record("\(String(describing: failure))")
                    continue
                }
                #expect(reason == "'\(file)' was shortened from 12288 to 4096 bytes while it was mapped")
            }
            #expect(unsafe truncate(file, 3 * 4096) == 0)
            let seen: [Int] = try values(buffer)
            #expect(seen.count == 3 * 4096)
        }
    }

    @Test func `a page that is lost during a call is SIGBUS, as documented`() async {
        await #expect(processExitsWith: .signal(SIGBUS)) {
            try withTemporaryDirectory { folder in
                let file = folder.path + "/shrinking"
                writeFile([UInt8](repeating: 1, count: 3 * 4096), to: file)
                let buffer = try SharedBuffer<UInt8>(mapping: file)
                let python = try TestPython.start()
                try python.run(
                    "def shrink(memory, file):\n    __import__('os').truncate(file, 0)\n    return memory[5000]")
                let _: Int = try python.function("shrink", in: "__main__")(.lending(buffer), file)
            }
        }
    }

    // MARK: - Anonymous shared memory

    @Test(arguments: elementTypes)
    func `anonymous shared memory is a buffer like any other`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try SharedBuffer<E>(sharedMemoryCapacity: E.samples.count)
            #expect(buffer.address.isMultiple(of: 4096))
            let address: Int = try TestPython.memory("address")(buffer)
            #expect(address == buffer.address)
            try fill(buffer, E.samples)
            #expect(Array(buffer) == E.samples)
            let lent: [E] = try values(.lending(buffer))
            #expect(lent == E.samples)
        }
        try check(type)
    }

    @Test func `another mapping of the descriptor is the same memory`() throws {
        try python.run(
            """
            import mmap, os, struct
            def map_and_add(descriptor, offset):
                with mmap.mmap(descriptor, 0) as other:
                    before, = struct.unpack_from('l', other, offset)
                    struct.pack_into('l', other, offset, before + 1)
                    return len(other)
            """)
        let mapAndAdd = try python.function("map_and_add", in: "__main__")
        let buffer = try SharedBuffer<Int>(sharedMemoryCapacity: 1000)
        buffer[3] = 41
        let length = try buffer.extracting(3..<5).withSharedMemoryDescriptor {
            (descriptor, offset) throws(PythonError) -> Int in
            try mapAndAdd(Int(descriptor), offset)
        }
        #expect(length == 8000)
        #expect(buffer[3] == 42)
    }

    @Test func `nobody can change the size of anonymous shared memory`() throws {
        let buffer = try SharedBuffer<UInt8>(sharedMemoryCapacity: 10_000)
        let outcome = buffer.withSharedMemoryDescriptor { descriptor, _ in
            [ftruncate(descriptor, 0), ftruncate(descriptor, 1 << 20)].map { $0 == 0 ? 0 : errno }
        }
        #expect(outcome == [EPERM, EPERM])
    }

    @Test func `other memory has no descriptor`() throws {
        try withTemporaryDirectory { folder in
            let file = folder.write("text", to: "file")
            for buffer in [
                try SharedBuffer<UInt8>(capacity: 10), SharedBuffer<UInt8>(sharing: [1]),
                try SharedBuffer<UInt8>(mapping: file),
            ] {
                let descriptor: Int32? = buffer.withSharedMemoryDescriptor { descriptor, _ in descriptor }
                #expect(descriptor == nil)
            }
        }
    }

    @Test func `a capacity that cannot be is refused`() throws {
        guard case .invalidBuffer = thrown({ _ = try SharedBuffer<Int>(sharedMemoryCapacity: -1) }),
            case .outOfMemory = thrown({ _ = try SharedBuffer<Int>(sharedMemoryCapacity: .max) }),
            case .outOfMemory = thrown({ _ = try SharedBuffer<UInt8>(sharedMemoryCapacity: .max) })
        else {
            Issue.record("another error")
            return
        }
        let empty = try SharedBuffer<Int>(sharedMemoryCapacity: 0)
        let seen: [Int] = try values(empty)
        #expect(seen == [])
    }

    @Test func `without a descriptor left there is an error, and nothing leaks`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            _ = python
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let before = openDescriptors()
            do {
                var buffers: [SharedBuffer<Int>] = []
                let failure = thrown { while true { buffers.append(try SharedBuffer<Int>(sharedMemoryCapacity: 1)) } }
                guard case .file(_, EMFILE) = failure else { fatalError("\(String(describing: failure))") }
            }
            #expect(openDescriptors() == before)
        }
    }

    @Test func `the descriptor is closed when the last view is gone`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run("kept = []")
            let keep = try (python.evaluate("kept") as PythonObject).function("append")
            let before = openDescriptors()
            try withTemporaryDirectory { folder in
                let file = folder.write("text", to: "file")
                try keep(try SharedBuffer<UInt8>(mapping: file))
                try keep(try SharedBuffer<Int>(sharedMemoryCapacity: 100))
            }
            #expect(openDescriptors() == before + 2)
            try python.run("kept.clear()")
            #expect(openDescriptors() == before)
        }
    }
}
