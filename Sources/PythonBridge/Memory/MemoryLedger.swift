internal import CShim

/// What went between Swift and Python: what was shared without a copy, and what was copied.
///
/// ```swift
/// let (found, ledger) = try MemoryLedger.recording { () throws(PythonError) in try detector.detect(samples) }
/// print(ledger.bytesCopied)
/// ```
///
/// Each thread counts for itself, without a lock; the counts cannot be turned off, and cost a few instructions a call.
public struct MemoryLedger: Sendable, Hashable {
    /// Bytes of the memory that was lent for the length of a call, one call after the other.
    public var bytesLent: Int
    /// Bytes of the memory that was shared, each time it was passed.
    public var bytesShared: Int
    /// Bytes that the bridge copied: arrays of numbers to and from lists, text, and what `SharedBuffer(contentsOf:)` took over.
    ///
    /// Single numbers are not counted, nor what Python copies by itself.
    public var bytesCopied: Int
    /// Bytes that Python asked a ``BufferAllocator`` for.
    public var bytesOnDemand: Int
    /// Views (`Py_buffer`) that Python took of Swift's memory. Source: `bf_getbuffer`.
    public var viewsTaken: Int
    /// Views that Python gave back. Source: `bf_releasebuffer`.
    public var viewsReturned: Int
    /// Exporters that were made: one for each buffer lent or shared. For shared memory that is passed again the exporter and its view are
    /// kept, and used once more: neither is counted here, nor as alive, unless Python keeps it.
    public var exportersMade: Int
    /// Exporters that are gone, the memory that they kept given back.
    public var exportersFreed: Int
    /// Lent arguments that Python kept beyond their call.
    public var escapes: Int

    /// Exporters that Python still holds; for a span of time, how many more it holds at its end.
    public var exportersAlive: Int { exportersMade - exportersFreed }

    /// Views that Python has not given back; for a span of time, how many more there are at its end.
    public var viewsOpen: Int { viewsTaken - viewsReturned }

    /// The counts of all threads since the process started.
    public static var total: MemoryLedger { MemoryLedger(ofThisThread: false) }

    /// Calls `body` and tells what this thread counted meanwhile.
    ///
    /// What Python's own threads do with the memory, or other threads of this process, is in ``total`` only.
    /// - Returns: What `body` returned, and the counts.
    /// - Throws: What `body` throws.
    public static func recording<R, E>(
        _ body: () throws(E) -> R
    ) throws(E) -> (result: R, ledger: MemoryLedger) {
        let start = MemoryLedger(ofThisThread: true)
        let result = try body()
        return (result, MemoryLedger(ofThisThread: true) - start)
    }

    private init(ofThisThread: Bool) {
        let size = Int(cshim_ledger_entry.CSHIM_LEDGER_ENTRIES.rawValue)
        let counts = unsafe [Int64](unsafeUninitializedCapacity: size) { counts, count in
            if let base = counts.baseAddress { unsafe cshim_ledger_read(ofThisThread, base) }
            count = size
        }
        func count(_ entry: cshim_ledger_entry) -> Int { Int(counts[Int(entry.rawValue)]) }
        bytesLent = count(.CSHIM_BYTES_LENT)
        bytesShared = count(.CSHIM_BYTES_SHARED)
        bytesCopied = count(.CSHIM_BYTES_COPIED)
        bytesOnDemand = count(.CSHIM_BYTES_ON_DEMAND)
        viewsTaken = count(.CSHIM_VIEWS_TAKEN)
        viewsReturned = count(.CSHIM_VIEWS_RETURNED)
        exportersMade = count(.CSHIM_EXPORTERS_MADE)
        exportersFreed = count(.CSHIM_EXPORTERS_FREED)
        escapes = count(.CSHIM_ESCAPES)
    }

    /// What was counted from `start` to `end`. A count that a worker has made go beyond 64 bits goes round.
    public static func - (end: MemoryLedger, start: MemoryLedger) -> MemoryLedger {
        var difference = end
        difference.bytesLent &-= start.bytesLent
        difference.bytesShared &-= start.bytesShared
        difference.bytesCopied &-= start.bytesCopied
        difference.bytesOnDemand &-= start.bytesOnDemand
        difference.viewsTaken &-= start.viewsTaken
        difference.viewsReturned &-= start.viewsReturned
        difference.exportersMade &-= start.exportersMade
        difference.exportersFreed &-= start.exportersFreed
        difference.escapes &-= start.escapes
        return difference
    }

    /// Counts a copy that this thread makes.
    @usableFromInline
    package static func countCopy(byteCount: Int) {
        cshim_ledger_add(.CSHIM_BYTES_COPIED, Int64(byteCount))
    }

    /// Counts memory that goes to another process, where it is.
    package static func countShared(byteCount: Int) {
        cshim_ledger_add(.CSHIM_BYTES_SHARED, Int64(byteCount))
    }

    /// Counts memory that Python asked for.
    package static func countOnDemand(byteCount: Int) {
        cshim_ledger_add(.CSHIM_BYTES_ON_DEMAND, Int64(byteCount))
    }

    /// Counts the copy of a list's items, if they are numbers: of others it is their contents that are copied, and counted.
    @usableFromInline
    package static func countCopy<Element>(of type: Element.Type, count: Int) {
        if type is any BufferElement.Type { countCopy(byteCount: count * MemoryLayout<Element>.stride) }
    }
}

extension MemoryLedger: CustomStringConvertible {
    /// One line.
    public var description: String {
        """
        lent \(bytesLent) B, shared \(bytesShared) B, copied \(bytesCopied) B, on demand \(bytesOnDemand) B, \
        views \(viewsTaken) taken and \(viewsReturned) returned, exporters alive \(exportersAlive), escapes \(escapes)
        """
    }
}
