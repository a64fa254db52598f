import Synchronization
import Testing

@testable import OutliersCommand

/// What is given back behind the reader of a file that is larger than memory. Such a file takes too long to be read by a test.
@Suite struct TrailTests {
    /// What is given back of 100 MiB of doubles as the reader goes on to each position, in MiB.
    private func ranges(_ positions: [Int], available: Int = 100, free: Int = 20) -> [Range<Int>] {
        let given = Mutex<[Range<Int>]>([])
        let mebibyte = 1 << 17
        let memory = SystemMemory(available: available << 20, free: free << 20)
        let trail = Trail(count: 100 * mebibyte, pitch: 8, memory: memory) { range in
            given.withLock { $0.append(range.lowerBound / mebibyte..<range.upperBound / mebibyte) }
        }
        for position in positions { trail.update(position * mebibyte) }
        return given.withLock { $0 }
    }

    @Test func `what lies behind is given back in steps, but for what fits into free memory`() {
        #expect(ranges([3, 8, 12, 16, 40]) == [10..<16, 10..<40])
    }

    @Test func `a new pass gives back the rest`() {
        #expect(ranges([50, 99, 0, 4, 8, 30]) == [10..<50, 42..<99, 91..<100, 10..<30])
    }

    @Test func `a file that takes no more than half of the memory stays`() {
        #expect(ranges([50, 99, 0, 50], available: 200) == [])
        #expect(ranges([50], available: 199, free: 0) == [0..<50])
    }

    @Test func `the memory of this machine is known`() throws {
        let memory = try #require(SystemMemory())
        #expect(memory.available > 1 << 20)
        #expect(memory.free > 0)
    }
}
