import Glibc
import Outliers
import PythonBridge
import PythonWorkers
import Testing

/// The memory that Python writes indices to, here or in a process of its own.
@Suite struct SpareIndicesTests {
    /// An engine that nobody else uses.
    private func detector(_ engine: OutlierDetector.Engine) throws -> OutlierDetector {
        try OutlierDetector(engine: engine, python: Reference.configuration)
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

    @Test(arguments: [OutlierDetector.Engine.embedded, .worker])
    func `what is held stays as it is, and what is not is written to again`(engine: OutlierDetector.Engine) throws {
        let detector = try detector(engine)
        let first = try detector.detect(samples(outlier: 7))
        let held = try (0..<6).map { try detector.detect(samples(outlier: $0)) }
        #expect(held.map { Array($0) } == (0..<6).map { [$0] })
        #expect(Array(first) == [7])
        #expect(Set((held + [first]).map(address)).count == 7)

        let dropped = try address(of: detector.detect(samples(outlier: 8)))
        for outlier in 10..<20 {
            let found = try detector.detect(samples(outlier: outlier))
            #expect(Array(found) == [outlier])
            #expect(address(of: found) == dropped)
        }
        #expect(held.map { Array($0) } == (0..<6).map { [$0] })
    }

    @Test(arguments: [OutlierDetector.Engine.embedded, .worker])
    func `all that are given up are written to again`(engine: OutlierDetector.Engine) throws {
        let detector = try detector(engine)
        func addresses() throws -> Set<UInt> {
            Set(try (0..<3).map { try detector.detect(samples(outlier: $0)) }.map(address))
        }
        let first = try addresses()
        #expect(first.count == 3)
        #expect(try addresses() == first)
    }

    @Test func `what Python has is left alone`() throws {
        let detector = try detector(.embedded)
        func detect(_ outlier: Int) throws -> SharedBuffer<Int> { try detector.detect(samples(outlier: outlier)) }
        let python = try PythonInterpreter.start(Reference.configuration)
        let script = Reference.repository + "/Tests/Fixtures/working.py"
        let keep = try python.function("keep", inScript: script)
        let total = try python.function("kept_total", inScript: script)

        // The second time with the view of the first.
        for outlier in [700, 800] {
            let found = try detect(outlier)
            try keep(found)
            try keep(found)
            let address = address(of: found)
            withExtendedLifetime(consume found) {}
            for outlier in 0..<6 {
                let found = try detect(outlier)
                #expect(Array(found) == [outlier])
                #expect(self.address(of: found) != address)
            }
            let kept: Double = try total()
            #expect(kept == Double(outlier))
        }
    }

    @Test func `what another process may have is left alone`() throws {
        let fixtures = Reference.repository + "/Tests/Fixtures"
        let workers = PythonWorkers(WorkerConfiguration(searchPaths: [Reference.repository, fixtures]))
        let detector = OutlierDetector(engine: WorkerEngine(workers: workers), options: .standard)
        func detect(_ outlier: Int) throws -> SharedBuffer<Int> { try detector.detect(samples(outlier: outlier)) }

        try workers.function("keep", in: "working").blocking(try detect(700))
        for outlier in 0..<5 { #expect(try Array(detect(outlier)) == [outlier]) }
        let total: Double = try workers.function("kept_total", in: "working").blocking()
        #expect(total == 700)

        var descriptor: Int32 = -1
        try detect(800).withSharedMemoryDescriptor { given, _ in descriptor = dup(given) }
        defer { close(descriptor) }
        for outlier in 0..<5 { #expect(try Array(detect(outlier)) == [outlier]) }
        var first = 0
        #expect(unsafe pread(descriptor, &first, 8, 0) == 8)
        #expect(first == 800)
    }

    @Test(arguments: [OutlierDetector.Engine.embedded, .worker])
    func `another number of samples gets memory of its own`(engine: OutlierDetector.Engine) throws {
        let detector = try detector(engine)
        for count in [1000, 900, 1000, 5000, 1000] {
            #expect(try Array(detector.detect(samples(outlier: count - 1, count: count))) == [count - 1])
        }
    }

    @Test(arguments: [OutlierDetector.Engine.embedded, .worker])
    func `results that are held by many threads are each their own`(engine: OutlierDetector.Engine) async throws {
        let detector = try detector(engine)
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

    @Test func `of memory for more than can be kept none is used again`() async {
        await #expect(processExitsWith: .success) {
            func mappedBytes() -> Int {
                let line = FileSystem.lines(of: "/proc/self/statm")?.first?.split(separator: " ").first
                return line.flatMap { Int($0) }.map { $0 * Int(getpagesize()) } ?? 0
            }
            let detector = try Reference.detector(.embedded)
            // Room for a quarter of a million, which is kept, and for a million, which is not.
            for (count, isKept) in [(1_000_000, true), (4_000_000, false)] {
                let samples = StridedView(try SharedBuffer<Double>(capacity: count))
                _ = try detector.moments(of: samples)
                let before = mappedBytes()
                for _ in 0..<5 { #expect(try detector.detect(samples).isEmpty) }
                #expect((mappedBytes() - before > 1_500_000) == isKept, "\(count)")
            }
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

    @Test(arguments: [OutlierDetector.Engine.embedded, .worker])
    func `more outliers than there can be are found all the same`(engine: OutlierDetector.Engine) throws {
        let detector = try detector(engine)
        // Their squares underflow: the deviation is zero.
        let samples = (0..<1000).map { $0 % 2 == 0 ? 1e-200 : -1e-200 }
        let view = StridedView(SharedBuffer(sharing: samples))
        #expect(try Array(detector.detect(view)) == Array(0..<1000))
    }
}
