import Glibc
import PythonBridge
import Testing

/// Every number of the ledger against what was done, in processes of their own: any thread may release what another gave up.
@Suite struct MemoryLedgerTests {
    @Test func `what is lent is counted call by call`() async {
        await #expect(processExitsWith: .success) {
            for type in elementTypes { try expectLent(type) }
        }
    }

    @Test func `what is shared is counted each time that it is passed`() async {
        await #expect(processExitsWith: .success) {
            for type in elementTypes { try expectShared(type) }
        }
    }

    @Test func `a repeated element counts as often as Python sees it`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            let broadcast = try SharedArray<Double>(shape: [1]).broadcast(to: [1000])
            let ledger = try record {
                try length(broadcast)
                try length(.lending(broadcast))
            }
            #expect(ledger == Counts(lent: 8000, shared: 8000, views: 2, exporters: 2))
        }
    }

    @Test func `what is empty counts as a view and an exporter`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            let empty = try SharedBuffer<Int>(capacity: 0)
            let ledger = try record {
                try length(empty)
                try length(.lending([Int]()))
            }
            #expect(ledger == Counts(views: 2, exporters: 2))
        }
    }

    @Test func `copies are counted, numbers are not`() async {
        await #expect(processExitsWith: .success) {
            let identity = try TestPython.fixture("identity", in: "values")
            let length = try TestPython.fixture("length", in: "values")
            let items = [1.5, 2.5, 3.5]
            #expect(try record { let _: Int = try identity(7) } == Counts())
            #expect(try record { try length(items) } == Counts(copied: 24))
            #expect(try record { let _: [Double] = try identity(items) } == Counts(copied: 48))
            #expect(
                try record { let _: [[Int8]] = try identity([[1, 2], [3]] as [[Int8]]) } == Counts(copied: 2 * 3)
            )
            #expect(try record { try length("Größe") } == Counts(copied: 7))
            #expect(try record { let _: String = try identity("Größe") } == Counts(copied: 14))
            #expect(try record { let _: [Double]? = try identity(Optional<[Double]>.none) } == Counts())
            #expect(try record { _ = try SharedBuffer<Float>(contentsOf: [1, 2, 3]) } == Counts(copied: 12))
            #expect(try record { _ = SharedBuffer<Double>(sharing: items) } == Counts())
            #expect(try record { _ = try SharedBuffer<Double>(capacity: 1000) } == Counts())
        }
    }

    @Test func `what Python asks for is counted as on demand and as shared`() async {
        await #expect(processExitsWith: .success) {
            let allocate: PythonObject = try TestPython.start().evaluate(
                "lambda allocate: (allocate(10), allocate((2, 3)))[0]")
            let call = try allocate.function("__call__")
            let ledger = try record { let _: SharedBuffer<Int32> = try call(BufferAllocator<Int32>()) }
            // The allocator's memoryviews, and none for Swift's look at the result, which is of the memoryview.
            #expect(ledger == Counts(shared: 64, onDemand: 64, views: 2, exporters: 2))
            let refused = try record { #expect(thrown { try call(BufferAllocator<Complex<Double>>(), 1) } != nil) }
            #expect(refused.onDemand == 0)
        }
    }

    @Test func `views that Python takes of the exporter itself are counted`() async {
        await #expect(processExitsWith: .success) {
            let evaluate = try TestPython.start()
            let view: PythonObject = try evaluate.evaluate(
                "lambda memory: [memoryview(memory.obj), memoryview(memory.obj), memoryview(memory), bytes(memory.obj)]"
            )
            let call = try view.function("__call__")
            let ledger = try record { try call(.lending([1, 2])) }
            #expect(ledger == Counts(lent: 16, views: 4, exporters: 1))
            let failed = try record {
                #expect(thrown { try TestPython.memory("set_first")(.lending([1, 2]), 1) } != nil)
            }
            #expect(failed.viewsTaken == 1 && failed.viewsReturned == 1 && failed.escapes == 0)
        }
    }

    @Test func `memory that Python keeps is alive until Python drops it`() async {
        await #expect(processExitsWith: .success) {
            let buffer = try SharedBuffer<Double>(capacity: 3)
            let keep = try TestPython.memory("keep_array")
            let (_, kept) = try MemoryLedger.recording { () throws(PythonError) in try keep(buffer, "ledger") }
            #expect((kept.bytesShared, kept.exportersAlive, kept.viewsOpen, kept.escapes) == (24, 1, 1, 0))
            let (_, dropped) = try MemoryLedger.recording { () throws(PythonError) in
                try TestPython.memory("forget")("ledger")
            }
            #expect((dropped.bytesShared, dropped.exportersAlive, dropped.viewsOpen) == (0, -1, -1))
        }
    }

    @Test func `each argument that escapes counts once, and an array that goes on without its memory as a copy`() async
    {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run("ledger_kept = []\ndef ledger_keep(*views): ledger_kept.extend(views)")
            let keep = try python.function("ledger_keep", in: "__main__")
            var array = [1, 2, 3]
            let (_, kept) = MemoryLedger.recording {
                thrown { try keep(.lending(&array), .lending([1.0]), .lending([2.0])) }
            }
            #expect((kept.escapes, kept.bytesLent, kept.exportersAlive, kept.viewsOpen) == (3, 40, 3, 3))
            // The names of the parameters are text besides, found out by calls of their own.
            #expect(kept.bytesCopied >= 24)
            let ledger = try record { try python.run("ledger_kept.clear()") }
            #expect(ledger == Counts(viewsReturned: 3, exportersFreed: 3))
        }
    }

    @Test func `a recording within another counts for both`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            var inner = MemoryLedger.total
            let outer = try record {
                try length(.lending([1, 2]))
                inner = try MemoryLedger.recording { () throws(PythonError) in try length(.lending([1])) }.ledger
            }
            #expect(Counts(inner) == Counts(lent: 8, views: 1, exporters: 1))
            #expect(outer == Counts(lent: 24, views: 2, exporters: 2))
        }
    }

    @Test func `a recording gives the result, or throws what was thrown`() async {
        await #expect(processExitsWith: .success) {
            struct Refusal: Error {}
            let (result, ledger) = MemoryLedger.recording { 7 }
            #expect(result == 7)
            #expect(Counts(ledger) == Counts())
            #expect(throws: Refusal.self) { try MemoryLedger.recording { () throws(Refusal) in throw Refusal() } }
        }
    }

    @Test func `what another thread counts is not in this one's recording`() async {
        await #expect(processExitsWith: .success) {
            let ledger = try record {
                try onNewThreads(4) { _ in try TestPython.fixture("length", in: "values")(.lending([1, 2, 3])) }
            }
            #expect(ledger == Counts())
        }
    }

    @Test func `the total is exact, of threads that are there and of threads that have ended`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            let length = try TestPython.fixture("length", in: "values")
            let start = MemoryLedger.total
            for _ in 0..<10 {
                try onNewThreads(8) { index in
                    for _ in 0...index { try length(.lending([1, 2, 3])) }
                    try length([Int8](repeating: 0, count: 5))
                    _ = try SharedBuffer<UInt8>(contentsOf: [1])
                }
            }
            try length(.lending([1.0]))
            #expect(
                Counts(MemoryLedger.total - start)
                    == Counts(lent: 10 * 36 * 24 + 8, copied: 10 * 8 * 6, views: 361, exporters: 361))

            // Python's own thread takes a view, keeps it until it ends, and drops the memory.
            let elsewhere = MemoryLedger.total
            try python.run(
                """
                import threading
                def look(memory):
                    views = []
                    thread = threading.Thread(target=lambda: views.append(bytes(memory.obj)))
                    thread.start(); thread.join()
                """)
            let look = try python.function("look", in: "__main__")
            let (_, own) = try MemoryLedger.recording { () throws(PythonError) in
                try look(try SharedBuffer<Int>(capacity: 2))
            }
            let all = MemoryLedger.total - elsewhere
            #expect((all.bytesShared, all.viewsTaken, all.viewsReturned, all.exportersAlive) == (16, 2, 2, 0))
            #expect((own.bytesShared, own.viewsTaken) == (16, 1))
        }
    }

    @Test func `counts go on while others read the total`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            let start = MemoryLedger.total
            try onNewThreads(4) { index in
                var last = MemoryLedger.total
                for _ in 0..<500 {
                    if index.isMultiple(of: 2) { try length(.lending([1])) }
                    let next = MemoryLedger.total
                    #expect(next.bytesLent >= last.bytesLent && next.exportersMade >= last.exportersMade)
                    last = next
                }
            }
            #expect(Counts(MemoryLedger.total - start) == Counts(lent: 8000, views: 1000, exporters: 1000))
        }
    }

    @Test func `a ledger tells its numbers in a line`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            let (_, ledger) = try MemoryLedger.recording { () throws(PythonError) in
                try length(.lending([1, 2]), keywords: [:])
            }
            #expect(
                ledger.description
                    == "lent 16 B, shared 0 B, copied 0 B, on demand 0 B, views 1 taken and 1 returned, exporters alive 0, escapes 0"
            )
        }
    }
}

/// What this thread counts while `body` runs.
private func record(_ body: () throws -> Void) throws -> Counts {
    Counts(try MemoryLedger.recording(body).ledger)
}

private func expectLent<E: TestElement>(_: E.Type) throws {
    let length = try TestPython.fixture("length", in: "values")
    let samples = E.samples
    var output = samples
    let size = MemoryLayout<E>.stride
    let shared = try SharedBuffer<E>(capacity: 5)
    let ledger = try record {
        try length(.lending(samples))
        try length(.lending(&output))
        try length(.lending(shared))
        try length(.lending(shared.extracting(1..<4)))
        try unsafe length(.lending(unsafe: samples.span))
    }
    #expect(ledger == Counts(lent: (3 * samples.count + 8) * size, views: 5, exporters: 5))
}

private func expectShared<E: TestElement>(_: E.Type) throws {
    let identity = try TestPython.fixture("identity", in: "values")
    let length = try TestPython.fixture("length", in: "values")
    let size = MemoryLayout<E>.stride
    let sharing = SharedBuffer(sharing: E.samples)
    let array = try SharedArray(sharing.extracting(0..<6), shape: [2, 3])
    let strided = try sharing.strided(from: 0, by: 3, count: 2)
    let ledger = try record {
        try length(sharing)
        try length(sharing)
        try length(array)
        try length(strided)
        try identity(Exporter(sharing))
    }
    #expect(ledger == Counts(shared: (3 * 7 + 6 + 2) * size, views: 5, exporters: 5))
}

/// All that a ledger counts, written shortly.
private struct Counts: Equatable {
    var lent = 0
    var shared = 0
    var copied = 0
    var onDemand = 0
    var viewsTaken = 0
    var viewsReturned = 0
    var exportersMade = 0
    var exportersFreed = 0
    var escapes = 0

    init(viewsReturned: Int, exportersFreed: Int) {
        self.viewsReturned = viewsReturned
        self.exportersFreed = exportersFreed
    }

    /// As many views and exporters gone as there came.
    init(lent: Int = 0, shared: Int = 0, copied: Int = 0, onDemand: Int = 0, views: Int = 0, exporters: Int = 0) {
        (self.lent, self.shared, self.copied, self.onDemand) = (lent, shared, copied, onDemand)
        (viewsTaken, viewsReturned, exportersMade, exportersFreed) = (views, views, exporters, exporters)
    }

    init(_ ledger: MemoryLedger) {
        (lent, shared, copied) = (ledger.bytesLent, ledger.bytesShared, ledger.bytesCopied)
        (onDemand, escapes) = (ledger.bytesOnDemand, ledger.escapes)
        (viewsTaken, viewsReturned) = (ledger.viewsTaken, ledger.viewsReturned)
        (exportersMade, exportersFreed) = (ledger.exportersMade, ledger.exportersFreed)
    }
}
