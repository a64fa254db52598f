import Glibc
import PythonBridge
import Testing

/// Nothing leaks, each test in a process of its own, in which nothing else allocates.
@Suite(.serialized, .timeLimit(.minutes(15))) struct MemoryTests {
    /// Runs `body` to warm up, then `count` times, and expects Python's blocks, what malloc has handed out, this process's memory
    /// and its descriptors to stay, and no exporter to be left.
    ///
    /// What Python keeps once, whatever the number of calls (caches of names and source lines), is well below `blocks`.
    static func expectFlat(_ count: Int, blocks tolerance: Int = 50, _ body: (PythonInterpreter) throws -> Void) throws
    {
        let python = try TestPython.start()
        let settle = try TestPython.fixture("settle", in: "leaks")
        for _ in 0..<max(count / 10, 100) { try body(python) }
        let blocks: Int = try settle()
        // Free heap goes back to the system first: what is left then is a leak, not what an allocator retains.
        Heap.trim()
        let (resident, descriptors, ledger) = (residentBytes(), openDescriptors(), MemoryLedger.total)
        let heap = Heap.allocatedBytes
        for _ in 0..<count { try body(python) }
        let newBlocks = (try settle() as Int) - blocks
        Heap.trim()
        let newBytes = residentBytes() - resident
        let newHeap = Heap.allocatedBytes - heap
        #expect(newBlocks < tolerance)
        #expect(newBytes <= residentTolerance)
        #expect(newHeap <= heapTolerance)
        #expect(openDescriptors() == descriptors)
        let change = MemoryLedger.total - ledger
        #expect(change.exportersAlive == 0)
        #expect(change.viewsOpen == 0)
    }

    /// One MiB, or more under a sanitizer, which keeps what was freed to find who uses it after all.
    static let residentTolerance =
        unsafe dlsym(nil, "__asan_init") ?? dlsym(nil, "__tsan_init") == nil ? 1 << 20 : 1 << 30

    /// What malloc may have handed out more: a few bytes a call would exceed it.
    static let heapTolerance = residentTolerance >> 4

    @Test func `a million calls with two lent arrays and a result leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("first_of", in: "leaks")
            let samples = [1.0, 2, 3]
            var indices = [0, 0]
            try Self.expectFlat(1_000_000) { _ in
                let _: Int = try count(.lending(samples), .lending(&indices))
            }
            #expect(indices == [3, 0])
        }
    }

    @Test func `a million calls with the same two buffers make nothing and leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("first_of", in: "leaks")
            let samples = try SharedBuffer(contentsOf: [1.0, 2, 3])
            let indices = try SharedBuffer<Int>(capacity: 2)
            for _ in 0..<2 { let _: Int = try count(samples, indices) }
            let before = MemoryLedger.total
            try Self.expectFlat(1_000_000, blocks: 5) { _ in
                let _: Int = try count(samples, indices)
            }
            #expect((MemoryLedger.total - before).exportersMade == 0)
            #expect(Array(indices) == [3, 0])
        }
    }

    @Test func `a million calls with arrays of the same two buffers make nothing and leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            let samples = try SharedBuffer(contentsOf: [1.0, 2, 3])
            let indices = try SharedBuffer<Int>(capacity: 2)
            let asArray = try python.function("asarray", in: "numpy")
            let (first, second): (PythonObject, PythonObject) = (try asArray(samples), try asArray(indices))
            let address: Int = try first.attribute("ctypes").attribute("data").read()
            #expect(address == samples.address)
            let call = try TestPython.fixture("first_of", in: "leaks").prepared(first, second)
            let before = MemoryLedger.total
            try Self.expectFlat(1_000_000, blocks: 5) { _ in
                let _: Int = try call()
            }
            #expect((MemoryLedger.total - before).exportersMade == 0)
            #expect(Array(indices) == [3, 0])
        }
    }

    @Test func `a million buffers that are passed three times leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("first_of", in: "leaks")
            let indices = try SharedBuffer<Int>(capacity: 2)
            try Self.expectFlat(1_000_000) { _ in
                let samples = try SharedBuffer<Double>(capacity: 3)
                for _ in 0..<3 { let _: Int = try count(samples, indices) }
            }
        }
    }

    @Test func `a million results in memory that Python asked for leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let ones = try TestPython.fixture("ones", in: "leaks")
            let ledger = MemoryLedger.total
            try Self.expectFlat(1_000_000) { _ in
                let result: SharedBuffer<Int> = try ones(3, BufferAllocator<Int>())
                guard result.count == 3, result[2] == 1 else { fatalError("\(Array(result))") }
            }
            #expect((MemoryLedger.total - ledger).bytesOnDemand == 1_100_000 * 24)
        }
    }

    @Test func `a million views of arrays that Python made leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let array = try TestPython.fixture("new_array", in: "leaks")
            try Self.expectFlat(1_000_000) { _ in
                let result: PythonBuffer<Double> = try array(3)
                guard result.count == 3, result[2] == 1 else { fatalError("\(Array(result))") }
            }
        }
    }

    @Test func `a million shared buffers leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("first_of", in: "leaks")
            let samples = try SharedBuffer<Double>(contentsOf: [1, 2, 3])
            let indices = try SharedBuffer<Int>(capacity: 2)
            try Self.expectFlat(1_000_000) { _ in
                let _: Int = try count(samples, indices)
            }
        }
    }

    @Test func `escapes are freed to the byte when Python drops them`() async {
        await #expect(processExitsWith: .success) {
            let keep = try TestPython.fixture("keep_for_now", in: "leaks")
            let drop = try TestPython.fixture("drop", in: "leaks")
            let allocated = try TestPython.fixture("allocated_bytes", in: "leaks")
            let size = 50_000
            func escape() throws {
                _ = thrown {
                    try keep(.lending([UInt8](repeating: 1, count: size)), .lending(try SharedBuffer<Int>(capacity: 1)))
                }
                var array = [Double](repeating: 1, count: size)
                _ = thrown { try keep(.lending(&array), .lending(try SharedBuffer<UInt8>(sharedMemoryCapacity: size))) }
            }
            let count = 20
            for _ in 0..<count { try escape() }
            try drop()
            let before: Int = try allocated()
            let ledger = MemoryLedger.total
            for _ in 0..<count { try escape() }
            let change = MemoryLedger.total - ledger
            #expect(change.escapes == 4 * count)
            #expect(change.exportersAlive == 4 * count)
            let kept: Int = try allocated()
            #expect(kept - before >= count * (size + 8 * size))
            try drop()
            let after: Int = try allocated()
            // malloc counts what it could not split off with what it gave, a sanitizer Python's own small objects too.
            #expect(abs(after - before) < size / 2)
            #expect((MemoryLedger.total - ledger).exportersAlive == 0)
        }
    }

    @Test func `calls with memory of every kind leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let count = try TestPython.fixture("first_of", in: "leaks")
            let samples = [1.0, 2, 3]
            let shared = try SharedBuffer<Double>(contentsOf: samples)
            let output = try SharedBuffer<Int>(capacity: 100_000)
            try Self.expectFlat(50_000) { _ in
                let _: Int = try count(shared, output)
                let _: Int = try count(try shared.strided(from: 2, by: -1, count: 3), .lending(output))
                let _: Int = try count(SharedBuffer(sharing: samples), output)
                let _: Int = try count(try SharedBuffer<Float>(contentsOf: [1]), try SharedBuffer<Int8>(capacity: 1))
            }
        }
    }

    @Test func `large buffers are given back`() async {
        await #expect(processExitsWith: .success) {
            let fill = try TestPython.memory("fill")
            try Self.expectFlat(300) { _ in try fill(try SharedBuffer<Double>(capacity: 1 << 18), 1.0) }
        }
    }

    @Test func `text, lists, keywords and numbers leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let identity = try TestPython.fixture("identity", in: "values")
            let all = try TestPython.fixture("all", in: "values")
            try Self.expectFlat(50_000) { python in
                let _: String = try identity("some text that is too long to be small")
                let _: [Int] = try identity([1 << 40, 2 << 40, 3])
                let _: [[String]?] = try identity([["a", "b"], nil])
                let _: Double = try identity(1.5)
                let _: UInt64? = try identity(UInt64.max)
                let _: String = try all(1, true, keywords: ["key": "value", "other": [1.5]])
                let _: Int = try python.evaluate("1 << 40")
            }
        }
    }

    @Test func `exceptions leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let fail = try TestPython.fixture("fail", in: "errors")
            try Self.expectFlat(20_000) { _ in _ = thrown { try fail("why") } }
            let failWithCause = try TestPython.fixture("fail_from", in: "errors")
            try Self.expectFlat(5_000) { _ in _ = thrown { try failWithCause() } }
        }
    }

    @Test func `refused results and arguments leave nothing`() async {
        await #expect(processExitsWith: .success) {
            struct Refused: PythonConvertible {
                func pythonValue() throws(PythonError) -> PythonValue { throw .invalidBuffer("refused") }
            }
            let identity = try TestPython.fixture("identity", in: "values")
            try Self.expectFlat(30_000) { _ in
                _ = thrown { let _: Int = try identity("text") }
                _ = thrown { let _: [Int] = try identity(["text", "more"]) }
                _ = thrown { let _: Int8 = try identity(1 << 40) }
                _ = thrown { let _: Int = try identity(.lending([1]), "text", [Refused()]) }
                _ = thrown { let _: Int = try identity("text", keywords: ["a": "b", "c": Refused()]) }
            }
        }
    }

    @Test func `escapes that are dropped later leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let keep = try TestPython.fixture("keep_for_now", in: "leaks")
            let drop = try TestPython.fixture("drop", in: "leaks")
            try Self.expectFlat(20_000) { _ in
                _ = thrown { try keep(.lending([1.0, 2]), .lending([3])) }
                try drop()
            }
        }
    }

    @Test func `a hundred thousand objects leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let make = try TestPython.fixture("Probe", in: "leaks")
            try Self.expectFlat(100_000) { python in
                let probe: PythonObject = try make()
                let _: Int = try probe.function("method")()
                _ = try probe.attribute("value")
                _ = try python.function("len", in: "builtins")
            }
        }
    }

    @Test func `threads that come and go leave nothing`() async {
        await #expect(processExitsWith: .success) {
            let identity = try TestPython.fixture("identity", in: "values")
            try Self.expectFlat(500) { _ in
                try onNewThreads(2) { index in
                    let _: Int = try identity(index)
                }
            }
        }
    }
}
