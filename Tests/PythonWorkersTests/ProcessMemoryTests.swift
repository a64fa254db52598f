import PythonBridge
import PythonWorkers
import Testing

/// What the kernel says of this process and its children. Each test is a process of its own, so that nobody else's memory counts.
@Suite struct ProcessMemoryTests {
    @Test func `memory that was used for a moment is in the peak until that is reset`() async {
        await #expect(processExitsWith: .success) {
            let byteCount = 64 << 20
            try #require(ProcessMemory.resetPeak())
            let start = try #require(ProcessMemory())
            do {
                let memory = try SharedBuffer<UInt8>(capacity: byteCount)
                unsafe memory.withUnsafeMutableBufferPointer { unsafe $0.update(repeating: 1) }
                let during = try #require(ProcessMemory())
                #expect(during.anonymous - start.anonymous > byteCount - 1 << 20)
                #expect(during.resident - start.resident > byteCount - 1 << 20)
            }
            let end = try #require(ProcessMemory())
            #expect(end.anonymous - start.anonymous < 4 << 20)
            #expect(end.peak - start.resident > byteCount - 1 << 20)
            #expect(ProcessMemory.resetPeak())
            #expect(try #require(ProcessMemory()).peak - start.resident < 4 << 20)
        }
    }

    @Test func `memory that another process may map is counted as shared`() async {
        await #expect(processExitsWith: .success) {
            let byteCount = 32 << 20
            let start = try #require(ProcessMemory())
            let memory = try SharedBuffer<UInt8>(sharedMemoryCapacity: byteCount)
            unsafe memory.withUnsafeMutableBufferPointer { unsafe $0.update(repeating: 1) }
            let end = try #require(ProcessMemory())
            #expect(end.shared - start.shared > byteCount - 1 << 20)
            #expect(end.anonymous - start.anonymous < 4 << 20)
        }
    }

    @Test func `a child is known as long as it runs, and so is its memory`() async {
        await #expect(processExitsWith: .success) {
            let workers = PythonWorkers(.test())
            let process: Int32 = try workers.function("process", in: "hardships").blocking()
            #expect(ProcessMemory.children == [process])
            let memory = try #require(ProcessMemory(of: process))
            #expect(memory.file > 1 << 20)
            #expect(memory.peak >= memory.anonymous)
            #expect(ProcessMemory.resetPeak(of: process))
            workers.shutDownAndWait()
            #expect(eventually { ProcessMemory.children.isEmpty })
            #expect(ProcessMemory(of: process) == nil)
            #expect(!ProcessMemory.resetPeak(of: process))
        }
    }
}
