import Outliers
import PythonBridge
import Testing

/// What each engine copies, by the ledger.
@Suite struct LedgerTests {
    let samples = makeTestData()

    func ledger(_ engine: OutlierDetector.Engine) throws -> MemoryLedger {
        let detector = try Reference.detector(engine)
        let view = StridedView(SharedBuffer(sharing: samples))
        let (indices, ledger) = try MemoryLedger.recording { try detector.detect(view) }
        #expect(Array(indices) == [7, 113, 835])
        return ledger
    }

    @Test func `embedded copies nothing, and shares the samples and room for the indices`() throws {
        let ledger = try ledger(.embedded)
        #expect(ledger.bytesCopied == 0)
        #expect(ledger.bytesShared == 8 * samples.count + 8 * (samples.count / 4 + 1))
        #expect(ledger.bytesOnDemand == 0)
        #expect(ledger.bytesLent == 0)
        #expect(ledger.escapes == 0)
        #expect(ledger.exportersAlive == 0)
    }

    @Test func `embedded asks for exactly the indices where there could be millions`() throws {
        var many = [Double](repeating: 0, count: (1 << 22) + 1)
        many[7] = 1
        let detector = try OutlierDetector(
            engine: .embedded, options: DetectionOptions(threshold: 0.5), python: Reference.configuration)
        let view = StridedView(SharedBuffer(sharing: many))
        let (indices, ledger) = try MemoryLedger.recording { try detector.detect(view) }
        #expect(Array(indices) == [7])
        #expect(ledger.bytesOnDemand == 8)
    }

    @Test func `copying copies every sample in and every index out`() throws {
        let ledger = try ledger(.copying)
        let text = "threshold".utf8.count + "nan".utf8.count + "raise".utf8.count
        #expect(ledger.bytesCopied == 8 * (samples.count + 3) + text)
        #expect(ledger.bytesShared == 0)
        #expect(ledger.exportersMade == 0)
    }

    @Test func `subprocess copies the text of every sample out and of every index in`() throws {
        let copied = try ledger(.subprocess).bytesCopied
        let text = samples.map { $0.description.utf8.count + 1 }.reduce(0, +)
        #expect(copied > text + "[7, 113, 835]".utf8.count)
        #expect(copied < text + 300)
    }

    @Test func `native touches no bridge`() throws {
        let detector = OutlierDetector(engine: NativeEngine())
        let view = StridedView(SharedBuffer(sharing: samples))
        let (indices, ledger) = try MemoryLedger.recording { try detector.detect(view) }
        #expect(indices.count == 3)
        #expect([ledger.bytesCopied, ledger.bytesShared, ledger.exportersMade, ledger.viewsTaken] == [0, 0, 0, 0])
    }
}
