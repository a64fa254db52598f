import Outliers
import PythonBridge
import Testing

/// The memory that a worker writes indices to.
@Suite struct WorkerEngineTests {
    private let detector: OutlierDetector

    init() throws {
        detector = OutlierDetector(engine: WorkerEngine(python: Reference.configuration), options: .standard)
    }

    /// A thousand samples, of which one is an outlier.
    private func samples(outlier: Int, count: Int = 1000) -> StridedView<Double> {
        var samples = (0..<count).map { Double($0 % 2) }
        samples[outlier] = 100
        return StridedView(SharedBuffer(sharing: samples))
    }

    private func address(of indices: SharedBuffer<Int>) -> UInt {
        unsafe indices.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    }

    @Test func `what is held stays as it is, and what is not is written to again`() throws {
        let first = try detector.detect(samples(outlier: 7))
        let held = try (0..<6).map { try detector.detect(samples(outlier: $0)) }
        #expect(held.map { Array($0) } == (0..<6).map { [$0] })
        #expect(Array(first) == [7])
        #expect(Set((held + [first]).map(address)).count == 7)

        let dropped = try address(of: detector.detect(samples(outlier: 8)))
        for outlier in 10..<20 {
            // A shorter series needs less of the same memory.
            let found = try detector.detect(samples(outlier: outlier, count: outlier % 2 == 0 ? 1000 : 900))
            #expect(Array(found) == [outlier])
            #expect(address(of: found) == dropped)
        }
        #expect(held.map { Array($0) } == (0..<6).map { [$0] })
    }

    @Test func `results that are held by many threads are each their own`() async throws {
        try await withThrowingTaskGroup { group in
            for task in 0..<4 {
                group.addTask {
                    var held: [SharedBuffer<Int>] = []
                    for call in 0..<50 {
                        held.append(try detector.detect(samples(outlier: 50 * task + call)))
                        if held.count == 3 { held.removeFirst() }
                        let last = 50 * task + call
                        #expect(held.map { Array($0) } == (last + 1 - held.count...last).map { [$0] })
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `memory that a failed detection had is given back, not used again`() async {
        await #expect(processExitsWith: .success) {
            func sharedMappings() -> Int {
                (FileSystem.lines(of: "/proc/self/maps") ?? []).count { $0.contains("/memfd:") }
            }
            let detector = OutlierDetector(engine: WorkerEngine(python: Reference.configuration), options: .standard)
            let good = try SharedBuffer<Double>(sharedMemoryCapacity: 1000)
            let bad = try SharedBuffer<Double>(sharedMemoryCapacity: 1000)
            (good[7], bad[7]) = (1, .nan)
            #expect(try Array(detector.detect(StridedView(good))) == [7])
            #expect(sharedMappings() == 3)
            #expect(throws: OutlierError.self) { try detector.detect(StridedView(bad)) }
            #expect(sharedMappings() == 2)
            #expect(try Array(detector.detect(StridedView(good))) == [7])
            #expect(sharedMappings() == 3)
        }
    }

    @Test func `more outliers than there can be are found all the same`() throws {
        // Their squares underflow: the deviation is zero.
        let samples = (0..<1000).map { $0 % 2 == 0 ? 1e-200 : -1e-200 }
        let view = StridedView(SharedBuffer(sharing: samples))
        #expect(try Array(detector.detect(view)) == Array(Reference.detector(.embedded).detect(view)))
    }
}
