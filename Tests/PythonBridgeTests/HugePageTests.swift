import Glibc
import PythonBridge
import Testing

/// Which memory the kernel is asked to have in huge pages, what these cost, and that they are given back.
@Suite struct HugePageTests {
    /// Whether the kernel has been asked for huge pages where an address lies. Source: proc(5), `VmFlags` of `/proc/PID/smaps`.
    private static func isHuge(_ address: Int) throws -> Bool {
        let flags = try #require(mapping(at: address).first { $0.hasPrefix("VmFlags:") })
        return flags.split(separator: " ").contains("hg")
    }

    private static let megabyte = 1 << 20
    private static let hugePage = 2 << 20
    /// What a kernel without them is asked for it refuses.
    private static let hasHugePages = FileSystem.isDirectory("/sys/kernel/mm/transparent_hugepage")

    @Test func `memory that will be filled starts at a huge page, from 4 MiB up`() throws {
        let large = try SharedBuffer<Int8>(capacity: 4 * Self.megabyte, hugePages: true)
        #expect(large.address.isMultiple(of: Self.hugePage))
        #expect(try Self.isHuge(large.address) == Self.hasHugePages)
        let small = try SharedBuffer<Int8>(capacity: 4 * Self.megabyte - 1, hugePages: true)
        #expect(try !Self.isHuge(small.address))
    }

    @Test(arguments: [4 * megabyte + 1, 5 * megabyte - 1, 5 * megabyte, 8_000_000, 80_000_000])
    func `of the last huge page half is wasted at most`(byteCount: Int) throws {
        let memory = try SharedBuffer<UInt8>(capacity: byteCount, hugePages: true)
        #expect(memory[byteCount - 1] == 0)
        memory[byteCount - 1] = 7
        #expect(memory[byteCount - 1] == 7)
        let isWorthOne = (byteCount % Self.hugePage) >= Self.hugePage / 2
        #expect(try Self.isHuge(memory.address + byteCount - 1) == (Self.hasHugePages && isWorthOne))
        let lastOfWhole = byteCount / Self.hugePage * Self.hugePage - 1
        #expect(try Self.isHuge(memory.address + lastOfWhole) == Self.hasHugePages)
    }

    @Test func `a copy of elements, and what Python asks for, will be filled`() throws {
        let copy = try SharedBuffer(contentsOf: repeatElement(7.0, count: 1_000_000))
        #expect(try Self.isHuge(copy.address) == Self.hasHugePages)
        #expect(copy[0] == 7 && copy[999_999] == 7)
        let allocate = try TestPython.lambda("lambda allocate: allocate(1_000_000)")
        let asked: SharedBuffer<Int> = try allocate(BufferAllocator<Int>())
        #expect(try Self.isHuge(asked.address) == Self.hasHugePages)
        #expect(asked.count == 1_000_000 && asked[0] == 0 && asked[999_999] == 0)
        let allocateMatrix = try TestPython.lambda("lambda allocate: allocate((1000, 1000))")
        let matrix: SharedArray<Int> = try allocateMatrix(BufferAllocator<Int>())
        #expect(try Self.isHuge(matrix.buffer.address) == Self.hasHugePages)
    }

    @Test func `other memory costs what is touched, by the page`() async {
        await #expect(processExitsWith: .success) {
            let memory = try SharedBuffer<Int8>(capacity: 64 * Self.megabyte)
            #expect(try !Self.isHuge(memory.address))
            let array = try SharedArray<Int8>(shape: [64, Self.megabyte])
            #expect(try !Self.isHuge(array.buffer.address))
            let before = residentBytes()
            memory[0] = 1
            #expect(residentBytes() - before < Self.megabyte)
        }
    }

    @Test func `what is not touched costs nothing, and all is given back`() async {
        await #expect(processExitsWith: .success) {
            func use() throws {
                for index in 0..<100 {
                    let memory = try SharedBuffer<Int8>(capacity: 4 * Self.megabyte + index * 77_777, hugePages: true)
                    memory[memory.count - 1] = 1
                }
            }
            try use()
            let (size, resident) = (virtualBytes(), residentBytes())
            try use()
            #expect(virtualBytes() - size <= MemoryTests.residentTolerance)
            let large = try SharedBuffer<Int8>(capacity: 256 * Self.megabyte, hugePages: true)
            large[0] = 1
            #expect(residentBytes() - resident < 3 * Self.megabyte)
        }
    }

    @Test(arguments: [Int.max, .max - hugePage])
    func `more than there can be is refused`(capacity: Int) {
        let error = thrown { _ = try SharedBuffer<Int8>(capacity: capacity, hugePages: true) }
        guard case .outOfMemory(byteCount: capacity) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
