import Glibc
import Outliers
import PythonBridge
import Testing

/// Resident memory of this process, in bytes. Source: proc(5), statm.
func residentBytes() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard unsafe fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
}

/// One MiB, or more under a sanitizer, which keeps what was freed to find who uses it after all.
private let residentTolerance =
    unsafe dlsym(nil, "__asan_init") ?? dlsym(nil, "__tsan_init") == nil ? 1 << 20 : 1 << 30

@Suite struct MemoryTests {
    @Test func `an embedded detection copies nothing, whatever the length`() async {
        await #expect(processExitsWith: .success) {
            let detector = try Reference.detector(.embedded)
            // 80 MB of samples with few outliers: a copy, or one whole-array temporary, would show.
            var samples = [Double](repeating: 1, count: 10_000_000)
            for index in stride(from: 0, to: samples.count, by: 1_000) { samples[index] = 2 }
            let view = StridedView(SharedBuffer(sharing: samples))
            _ = try detector.detect(StridedView(SharedBuffer(sharing: Array(samples.prefix(100_000)))))
            let before = residentBytes()
            let indices = try detector.detect(view)
            let added = residentBytes() - before
            guard indices.count == 10_000, added < max(2 << 20, residentTolerance) else {
                fatalError("\(indices.count), \(added) bytes")
            }
        }
    }

    @Test func `repeated detections leave resident memory and Python's blocks flat`() async {
        await #expect(processExitsWith: .success) {
            let detector = try Reference.detector(.embedded)
            let python = try PythonInterpreter.start(Reference.configuration)
            let samples = makeTestData()
            func detect(times: Int) throws {
                for _ in 0..<times where try detector.detect(samples) != [7, 113, 835] { fatalError("a wrong answer") }
            }
            func blocks() throws -> Int { try python.evaluate("__import__('sys').getallocatedblocks()") }
            try detect(times: 2_000)
            let (memory, allocated) = (residentBytes(), try blocks())
            try detect(times: 20_000)
            let (addedMemory, addedBlocks) = (residentBytes() - memory, try blocks() - allocated)
            guard addedMemory < residentTolerance, addedBlocks < 50 else {
                fatalError("\(addedMemory), \(addedBlocks)")
            }
        }
    }
}
