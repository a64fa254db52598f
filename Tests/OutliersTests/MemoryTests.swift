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

/// The most that resident memory was in `body`, less what it is before, in bytes. Source: proc(5), clear_refs and status.
private func peakBytes(_ body: () throws -> Void) throws -> Int {
    guard let file = unsafe fopen("/proc/self/clear_refs", "w") else { return 0 }
    unsafe fputs("5", file)
    unsafe fclose(file)
    let before = residentBytes()
    try body()
    guard let status = unsafe fopen("/proc/self/status", "r") else { return 0 }
    defer { unsafe fclose(status) }
    var line = [CChar](repeating: 0, count: 256)
    while unsafe fgets(&line, 256, status) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.hasPrefix("VmHWM:") else { continue }
        return (Int(text.filter(\.isNumber)) ?? 0) << 10 - before
    }
    return 0
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

    @Test(arguments: [1, 2])
    func `a native detection takes no memory that grows with the samples, but that of its result`(threads: Int) async {
        await #expect(processExitsWith: .success) { [threads = threads as Int] in
            // 24 MB and 12 MB of samples; 24 MB of indices where all are outliers.
            let samples = (0..<3_000_000).map { Double($0 % 1000) }
            let doubles = StridedView(SharedBuffer(sharing: samples))
            let floats = StridedView(SharedBuffer(sharing: samples.map { Float($0) }))
            for (threshold, count) in [(1.73, 6_000), (0, 3_000_000)] {
                let detector = OutlierDetector(
                    engine: NativeEngine(), options: try DetectionOptions(threshold: threshold, threads: threads))
                let added = try peakBytes {
                    guard try detector.detect(doubles).count == count, try detector.detect(floats).count == count else {
                        fatalError("a wrong answer")
                    }
                }
                // While it grows, the result may be there twice.
                guard added < 2 * 8 * count + max(4 << 20, residentTolerance) else {
                    fatalError("\(threshold): \(added)")
                }
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
