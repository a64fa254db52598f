import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

/// The same pages on both sides, and when they are gone.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct WorkerMemoryTests {
    let workers = PythonWorkers(.test())

    func function(_ name: String) -> BlockingWorkerFunction { workers.function(name, in: "working").blocking }

    func worker() throws -> Int32 { Int32(try function("process")() as Int) }

    func privateBytes(of process: Int32) -> Int {
        Processes.bytes(
            ["Private_Clean", "Private_Dirty"], in: FileSystem.lines(of: "/proc/\(process)/smaps_rollup") ?? [])
    }

    // MARK: - The same pages

    @Test
    func `both sides see what either writes during a call`() throws {
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 2)
        let tell = PythonCallback {
            #expect(buffer[0] == 3)
            buffer[1] = 5
        }
        #expect(try function("change_and_tell")(buffer, tell) == 5.0)
    }

    @Test
    func `the kernel says that both sides map the same pages and neither has any of its own`() throws {
        let count = 1 << 17
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: count)
        try function("fill")(buffer, 1)
        #expect(buffer.reduce(0, +) == Double(count))
        let address: Int = try function("address")(buffer)
        let here = unsafe buffer.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        for (address, process) in [(here, getpid()), (address, try worker())] {
            let mapping = mapping(at: address, of: process)
            #expect(mapping.first?.contains("/memfd:") == true)
            #expect(Processes.bytes(["Shared_Clean", "Shared_Dirty"], in: mapping) == count * 8)
            #expect(Processes.bytes(["Private_Clean", "Private_Dirty"], in: mapping) == 0)
        }
    }

    @Test
    func `a buffer of a gibibyte adds next to nothing to either side's own memory`() throws {
        let small = try SharedBuffer<Double>(sharedMemoryCapacity: 1)
        try function("fill")(small, 1)
        let worker = try worker()
        let before = [worker, getpid()].map(privateBytes)
        let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 1 << 27)
        // The kernel counts a page as a process's own as long as no other one has touched it.
        unsafe buffer.withUnsafeMutableBufferPointer {
            _ = unsafe $0.baseAddress.map { unsafe memset($0, 0, 8 << 27) }
        }
        try function("fill")(buffer, 2)
        #expect(buffer[0] == 2 && buffer[1 << 27 - 1] == 2)
        for (before, process) in zip(before, [worker, getpid()]) {
            #expect(before > 0)
            #expect(privateBytes(of: process) - before < 16 << 20)
        }
    }

    // MARK: - Given back

    @Test
    func `memory that Swift gives back is gone in all workers`() async throws {
        let workers = PythonWorkers(.test(count: 2))
        let total = workers.function("total", in: "working").blocking
        let before = Processes.sharedMappings()
        do {
            let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 100_000)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { let _: Double = try await total.function(buffer) } }
                try await group.waitForAll()
            }
            #expect(workers.processIdentifiers.count == 2)
            for worker in workers.processIdentifiers { #expect(Processes.sharedMappings(of: worker) == 1) }
        }
        // A task may let go of what it has captured a moment after its end.
        #expect(await eventually { Processes.sharedMappings() == before })
        for worker in workers.processIdentifiers {
            #expect(await eventually { Processes.sharedMappings(of: worker) == 0 })
        }
    }

    @Test
    func `memory of which Python keeps an array stays there until that is gone`() throws {
        let worker = try worker()
        do {
            let buffer = try SharedBuffer<Double>(sharedMemoryCapacity: 1000)
            try function("fill")(buffer, 2)
            try function("keep")(buffer)
        }
        #expect(try function("kept_total")() == 2000.0)
        #expect(Processes.sharedMappings(of: worker) == 1)
        try function("drop")()
        #expect(Processes.sharedMappings(of: worker) == 0)
    }

    @Test
    func `memory that Swift gives back while the worker is busy is gone afterwards`() async throws {
        let (total, sleep) = (function("total"), function("sleep"))
        let worker = try worker()
        var buffers: [SharedBuffer<Double>] = []
        for _ in 0..<1000 {
            buffers.append(try SharedBuffer<Double>(sharedMemoryCapacity: 1))
            let _: Double = try await total.function(buffers[buffers.count - 1])
        }
        #expect(Processes.sharedMappings(of: worker) == 1000)
        let task = Task { try await sleep.function(0.5) }
        try await Task.sleep(for: .milliseconds(200))
        while !buffers.isEmpty { buffers.removeLast() }
        try await task.value
        let last = try SharedBuffer<Double>(sharedMemoryCapacity: 1)
        let _: Double = try await total.function(last)
        #expect(Processes.sharedMappings(of: worker) == 1)
    }

    @Test
    func `copies and results are gone after their calls`() throws {
        let worker = try worker()
        let descriptors = workers.function("descriptors", in: "hardships").blocking
        let count: Int = try descriptors()
        for _ in 0..<20 {
            #expect(try function("total")(.lending([1.0, 2])) == 3.0)
            #expect(try function("total")(SharedBuffer(sharing: [1.0, 2])) == 3.0)
            let given: SharedBuffer<Double> = try function("give")(100)
            #expect(given.count == 100)
            let many: [Int] = try function("long_list")(20_000)
            #expect(many.count == 20_000)
        }
        let _: Int = try function("add")(1, 1)
        #expect(Processes.sharedMappings(of: worker) == 0)
        #expect(try descriptors() == count)
    }

    // MARK: - Types and shapes

    func expectSame<Element: BufferElement & Equatable>(_ elements: [Element], _ negated: [Element], _ name: String)
        throws
    {
        let buffer = try SharedBuffer<Element>(sharedMemoryCapacity: elements.count)
        for index in buffer.indices { buffer[index] = elements[index] }
        let size = MemoryLayout<Element>.stride
        #expect(try function("describe")(buffer) == "\(name) [\(elements.count)] [\(size)] rw")
        #expect(try function("describe")(buffer.readOnly) == "\(name) [\(elements.count)] [\(size)] r")
        try function("negate")(buffer)
        #expect(Array(buffer) == negated)
        let (back, ledger) = try MemoryLedger.recording { try function("identity")(buffer) as SharedBuffer<Element> }
        #expect(Array(back) == negated)
        #expect(ledger.bytesCopied == 0)
        back[0] = elements[0]
        #expect(buffer[0] == elements[0])
        var lent = elements
        try function("negate")(.lending(&lent))
        #expect(lent == negated)
    }

    @Test
    func `elements of every type arrive as numpy's and come back`() throws {
        try expectSame([0, 1, -2.5, .infinity] as [Double], [0, -1, 2.5, -.infinity], "float64")
        try expectSame([0, 1, -2.5] as [Float], [0, -1, 2.5], "float32")
        try expectSame([0, 1, -2.5, 65504] as [Float16], [0, -1, 2.5, -65504], "float16")
        try expectSame(
            [Complex(1, -2), Complex(0, 3)] as [Complex<Double>], [Complex(-1, 2), Complex(0, -3)], "complex128")
        try expectSame(
            [Complex(1, -2), Complex(0, 3)] as [Complex<Float>], [Complex(-1, 2), Complex(0, -3)], "complex64")
        try expectSame([true, false, true], [false, true, false], "bool")
        try expectSame([1, -2, .max] as [Int], [-1, 2, -.max], "int64")
        try expectSame([1, -2, .max] as [Int32], [-1, 2, -.max], "int32")
        try expectSame([1, -2, .max] as [Int16], [-1, 2, -.max], "int16")
        try expectSame([1, -2, .max] as [Int8], [-1, 2, -.max], "int8")
        try expectSame([1, 2] as [UInt], [.max, .max - 1], "uint64")
        try expectSame([1, 2] as [UInt32], [.max, .max - 1], "uint32")
        try expectSame([1, 2] as [UInt16], [.max, .max - 1], "uint16")
        try expectSame([1, 2] as [UInt8], [.max, .max - 1], "uint8")
    }

    @Test(arguments: [true, false])
    func `arrays of several dimensions keep their shape and strides`(isShared: Bool) throws {
        let buffer = try isShared ? SharedBuffer<Int>(sharedMemoryCapacity: 24) : SharedBuffer<Int>(capacity: 24)
        for index in buffer.indices { buffer[index] = index }
        let array = try SharedArray(buffer, shape: [2, 3, 4])
        #expect(try function("describe")(array) == "int64 [2, 3, 4] [96, 32, 8] rw")
        #expect(try function("describe")(array.transposed) == "int64 [4, 3, 2] [8, 32, 96] rw")
        #expect(try function("flat")(array) == Array(0..<24))
        let transposed = (0..<4).flatMap { a in (0..<3).flatMap { b in (0..<2).map { $0 * 12 + b * 4 + a } } }
        #expect(try function("flat")(array.transposed) == transposed)
        let backwards: [Int] = try function("flat")(array.reversed(along: 0))
        #expect(backwards == Array(12..<24) + Array(0..<12))
        let row = try SharedArray(SharedBuffer<Int>(sharedMemoryCapacity: 1), shape: [1]).broadcast(to: [3, 2])
        #expect(try function("describe")(row) == "int64 [3, 2] [0, 0] r")
        try function("fill")(array.reversed(along: 1), 7)
        #expect(buffer.allSatisfy { $0 == 7 })
    }

    @Test
    func `arrays that Python made come with their shape and strides`() throws {
        let grid: SharedArray<Int> = try function("grid")(2, 3)
        #expect(grid.layout.shape == [2, 3])
        #expect(grid[1, 2] == 5)
        let shared = try SharedArray(SharedBuffer<Double>(sharedMemoryCapacity: 6), shape: [2, 3])
        shared[0, 1] = 8
        let (turned, ledger) = try MemoryLedger.recording {
            try function("transposed")(shared) as SharedArray<Double>
        }
        #expect(ledger.bytesCopied == 0)
        #expect(turned.layout.shape == [3, 2])
        #expect(turned[1, 0] == 8)
        turned[2, 1] = 9
        #expect(shared[1, 2] == 9)
        let numbers = try SharedBuffer<Double>(sharedMemoryCapacity: 5)
        for index in numbers.indices { numbers[index] = Double(index) }
        let other: SharedArray<Double> = try function("every_other")(numbers)
        #expect(other.layout.strides == [2])
        #expect([other[0], other[1], other[2]] == [0, 2, 4])
    }

    @Test(arguments: [1, 2, 3, -1, -3])
    func `strided views are strided in Python too`(stride: Int) throws {
        let buffer = try SharedBuffer<Int>(sharedMemoryCapacity: 10)
        for index in buffer.indices { buffer[index] = index }
        let count = (10 + abs(stride) - 1) / abs(stride)
        let view = try StridedView(of: buffer, from: stride > 0 ? 0 : 9, by: stride, count: count)
        #expect(try function("flat")(view) == Array(view))
        #expect(try function("describe")(view) == "int64 [\(count)] [\(8 * stride)] r")
    }

    @Test
    func `part of a buffer is that part`() throws {
        let bytes = try SharedBuffer<UInt8>(sharedMemoryCapacity: 64)
        let part = try SharedBuffer<Double>(reinterpreting: bytes, byteOffset: 16, count: 3)
        try function("fill")(part, 1.5)
        #expect(Array(try SharedBuffer<Double>(reinterpreting: bytes)) == [0, 0, 1.5, 1.5, 1.5, 0, 0, 0])
        let back: SharedBuffer<Double> = try function("identity")(part)
        back[0] = 4
        #expect(part[0] == 4)
    }

    @Test
    func `what is empty arrives as such and comes back`() throws {
        let empty = [
            try SharedBuffer<Double>(sharedMemoryCapacity: 0), try SharedBuffer<Double>(capacity: 0),
            SharedBuffer(sharing: []),
        ]
        for buffer in empty {
            #expect(try function("flat")(buffer) == [] as [Double])
            #expect((try function("identity")(buffer) as SharedBuffer<Double>).isEmpty)
        }
        #expect(try function("total")(.lending([] as [Double])) == 0.0)
        #expect((try function("nothing_at_all")(0) as SharedBuffer<Double>).isEmpty)
        let array: SharedArray<Double> = try function("nothing_at_all")(3)
        #expect(array.layout.shape == [0, 3])
        let shared = try SharedArray(SharedBuffer<Float16>(sharedMemoryCapacity: 0), shape: [3, 0, 2])
        #expect((try function("describe")(shared) as String).hasPrefix("float16 [3, 0, 2]"))
        #expect((try function("allocate")(BufferAllocator<Int>(), 0) as SharedBuffer<Int>).isEmpty)
    }

    // MARK: - Files

    @Test
    func `a mapped file is mapped by the worker too`() throws {
        let file = TemporaryFile(String(repeating: "abcdefgh", count: 10_000))
        let buffer = try SharedBuffer<UInt8>(mapping: file.path)
        let (sum, ledger) = try MemoryLedger.recording { try function("total")(buffer) as Double }
        #expect(sum == Double(buffer.reduce(0) { $0 + Int($1) }))
        #expect(ledger.bytesCopied == 0)
        #expect(try function("describe")(buffer) == "uint8 [80000] [1] r")
        let mapping = mapping(at: try function("address")(buffer), of: try worker())
        #expect(mapping.first?.hasSuffix(file.path) == true)
        let back: SharedBuffer<UInt8> = try function("identity")(buffer)
        #expect(!back.isWritableByPython && back.count == 80_000)
        #expect(message { () throws(WorkerError) in try function("fill")(buffer, 1) }?.contains("read-only") == true)
    }

    @Test
    func `what Python writes to a mapped file is in the file`() throws {
        let file = TemporaryFile(String(repeating: "a", count: 100))
        try function("fill")(try SharedBuffer<UInt8>(mapping: file.path, access: .readWrite), 98)
        #expect(FileSystem.lines(of: file.path) == [Substring(String(repeating: "b", count: 100))])
    }

    @Test
    func `a file that was shortened is refused before the call`() throws {
        let file = TemporaryFile(String(repeating: "a", count: 100))
        let buffer = try SharedBuffer<UInt8>(mapping: file.path)
        #expect(unsafe truncate(file.path, 10) == 0)
        let error = message { () throws(WorkerError) in let _: Double = try function("total")(buffer) }
        #expect(error?.contains("was shortened from 100 to 10 bytes while it was mapped") == true)
        #expect(workers.processIdentifiers.isEmpty)
    }
}
