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

    /// Whether there is memory at an address. Source: mincore(2).
    private static func isMapped(_ address: Int) -> Bool {
        var isResident: UInt8 = 0
        let page = unsafe UnsafeMutableRawPointer(bitPattern: address & ~(Int(getpagesize()) - 1))
        return unsafe mincore(page, 1, &isResident) == 0
    }

    private static let megabyte = 1 << 20
    private static let hugePage = 2 << 20
    /// What a kernel without them is asked for it refuses.
    private static let hasHugePages = FileSystem.isDirectory("/sys/kernel/mm/transparent_hugepage")
    /// What the first touch takes of memory for which none were asked for.
    private static var firstTouch: Int {
        let enabled = FileSystem.lines(of: "/sys/kernel/mm/transparent_hugepage/enabled")?.first ?? ""
        return enabled.contains("[always]") ? hugePage : 4096
    }

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
            #expect(residentBytes() - before < Self.firstTouch + MemoryTests.residentTolerance)
        }
    }

    @Test func `what is not touched costs nothing, and all is given back`() async {
        await #expect(processExitsWith: .success) {
            let resident = residentBytes()
            var places: [Int] = []
            for index in 0..<100 {
                let memory = try SharedBuffer<Int8>(capacity: 64 * Self.megabyte + index * 77_777, hugePages: true)
                memory[0] = 1
                #expect(residentBytes() - resident < 3 * Self.megabyte + MemoryTests.residentTolerance)
                #expect(Self.isMapped(memory.address))
                places += [memory.address, memory.address + memory.count - 1]
            }
            for place in places { #expect(!Self.isMapped(place)) }
        }
    }

    @Test(arguments: [Int.max, .max - hugePage, 1 << 47])
    func `more than there can be is refused`(capacity: Int) {
        let error = thrown { _ = try SharedBuffer<Int8>(capacity: capacity, hugePages: true) }
        guard case .outOfMemory(byteCount: capacity) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `memory has no more addresses than it needs`() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
            let size = 64 * Self.megabyte
            // Not enough to look for the start of a huge page.
            let most = limit.rlim_cur
            limit.rlim_cur = rlim_t(virtualBytes() + size + Self.megabyte)
            #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            let memory = try SharedBuffer<Int8>(capacity: size, hugePages: true)
            memory[size - 1] = 1
            // For what the process does at its end.
            limit.rlim_cur = most
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        }
    }
}
