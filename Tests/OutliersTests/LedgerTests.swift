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

    @Test func `embedded copies nothing and asks for exactly the indices`() throws {
        let ledger = try ledger(.embedded)
        #expect(ledger.bytesCopied == 0)
        #expect(ledger.bytesShared == 8 * samples.count + 3 * 8)
        #expect(ledger.bytesOnDemand == 3 * 8)
        #expect(ledger.bytesLent == 0)
        #expect(ledger.escapes == 0)
        #expect(ledger.exportersAlive == 0)
    }

    @Test func `copying copies every sample in and every index out`() throws {
        let ledger = try ledger(.copying)
        let text = "threshold".utf8.count + "nan".utf8.count + "raise".utf8.count
        #expect(ledger.bytesCopied == 8 * (samples.count + 3) + text)
        #expect(ledger.bytesShared == 0)
        #expect(ledger.exportersMade == 0)
    }

    @Test func `native touches no bridge`() throws {
        let detector = OutlierDetector(engine: NativeEngine())
        let view = StridedView(SharedBuffer(sharing: samples))
        let (indices, ledger) = try MemoryLedger.recording { try detector.detect(view) }
        #expect(indices.count == 3)
        #expect([ledger.bytesCopied, ledger.bytesShared, ledger.exportersMade, ledger.viewsTaken] == [0, 0, 0, 0])
    }
}
