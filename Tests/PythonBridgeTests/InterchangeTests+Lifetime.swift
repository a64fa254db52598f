import Glibc
import PythonBridge
import Testing

/// Who gives memory up first, where, and when.
extension InterchangeTests {
    static let numbers = (0..<10_000).map { Double($0) }

    /// Writes over what was freed on both sides.
    static func churn() throws {
        let arrays = [3, 7, 100, 10_000].flatMap { size in (0..<50).map { _ in [Double](repeating: -1, count: size) } }
        let count: Int = try fixture("churn")()
        #expect(count > arrays.count)
    }

    // MARK: - One side first

    @Test(arguments: try libraries())
    func `Python reads on after Swift let go`(library: String) throws {
        let array: PythonObject = try take(Exporter(Self.writable(Self.numbers)), library)
        try Self.churn()
        let elements: [Double] = try values(array)
        #expect(elements == Self.numbers)
    }

    @Test(arguments: try sources())
    func `Swift reads on after Python let go`(source: String) throws {
        let buffer: PythonBuffer<Double> = try Self.view(try Self.make(source, Self.numbers))
        let array: PythonArray<Double> = try Self.view(try Self.make(source, Self.numbers))
        try Self.churn()
        #expect(Array(buffer) == Self.numbers)
        #expect(array.elements == Self.numbers)
    }

    @Test(arguments: try sources())
    func `Python reads on after Swift gave its view back, and then lets go`(source: String) throws {
        let watch: PythonObject
        do {
            let object = try Self.make(source, Self.numbers)
            watch = try Self.fixture("watch")(object)
            try onNewThreads { _ in
                let buffer: PythonBuffer<Double> = try Self.view(object)
                #expect(buffer.count == Self.numbers.count)
            }
            try Self.churn()
            let elements: [Double] = try values(object)
            #expect(elements == Self.numbers)
            #expect(try Self.fixture("is_alive")(watch) as Bool)
        }
        #expect(try !(Self.fixture("is_alive")(watch) as Bool))
    }

    // MARK: - The ledger

    @Test(arguments: try libraries())
    func `memory is given back when Python drops the array, on whatever thread`(library: String) async {
        await #expect(processExitsWith: .success) { [library] in
            let keep = try Self.fixture("keep")
            let start = MemoryLedger.total.exportersAlive
            for forget in try ["forget", "forget_on_a_thread"].map(Self.fixture) {
                try keep(Exporter(Self.writable(Self.numbers)), library)
                #expect(MemoryLedger.total.exportersAlive == start + 1)
                try forget(library)
                #expect(MemoryLedger.total.exportersAlive == start)
            }
        }
    }

    @Test(.timeLimit(.minutes(15)))
    func `the threads of polars and pyarrow give memory back`() async {
        await #expect(processExitsWith: .success) {
            let pass = try Self.fixture("pass_through_threads")
            let start = MemoryLedger.total.exportersAlive
            for _ in 0..<20 {
                let total: Double = try pass(Exporter(Self.writable(Self.numbers)))
                #expect(total == 2 * 49_995_000 + 9999)
            }
            // A thread may be the last to hold an array after its result has come.
            while MemoryLedger.total.exportersAlive > start { usleep(1000) }
            #expect(MemoryLedger.total.exportersAlive == start)
        }
    }

    @Test func `capsules that nobody takes the content of give memory back`() async {
        await #expect(processExitsWith: .success) {
            let keep = try TestPython.fixture("keep_all", in: "capsules")
            let start = MemoryLedger.total.exportersAlive
            let buffer = try Self.writable(Self.numbers)
            try keep(Exporter(buffer), buffer)
            #expect(MemoryLedger.total.exportersAlive == start + 2)
            try TestPython.fixture("forget_all", in: "capsules")()
            #expect(MemoryLedger.total.exportersAlive == start)
            #expect(Array(buffer) == Self.numbers)
        }
    }

    // MARK: - Consumers in C

    /// A structure that was moved out of its capsule, as a consumer in C holds it.
    struct Moved: Sendable {
        let address: Int
        let function: Int
        private let isArray: Bool

        /// What the fixture took out of an exporter of `elements`, which nobody else holds.
        init(_ kind: String, of elements: [Double]) throws {
            let move = try TestPython.fixture("move", in: "capsules")
            let numbers: [Int] = try move(Exporter(InterchangeTests.writable(elements)), kind)
            (address, function, isArray) = (numbers[0], numbers[1], kind == "array")
        }

        /// Gives the memory up, as DLPack's deleter or Arrow's release callback.
        func release() throws {
            typealias Release = @convention(c) (UnsafeMutableRawPointer) -> Void
            guard let function = unsafe UnsafeRawPointer(bitPattern: function) else { return }
            guard let address = unsafe UnsafeMutableRawPointer(bitPattern: address) else { return }
            unsafe unsafeBitCast(function, to: Release.self)(address)
            if isArray { unsafe free(address) }  // a tensor frees itself
        }
    }

    static let kinds = ["dltensor", "dltensor_versioned", "array"]

    @Test(arguments: kinds)
    func `a thread that Python does not know gives memory back`(kind: String) async {
        await #expect(processExitsWith: .success) { [kind] in
            let start = MemoryLedger.total.exportersAlive
            let moved = try (0..<8).map { try Moved(kind, of: [Double($0)] + Self.numbers) }
            #expect(MemoryLedger.total.exportersAlive == start + 8)
            let first = try TestPython.fixture("first_of_moved", in: "capsules")
            let seen = try moved.map { try first($0.address, kind) as Double }
            #expect(seen == [0, 1, 2, 3, 4, 5, 6, 7])
            try onNewThreads(8) { index in try moved[index].release() }
            #expect(MemoryLedger.total.exportersAlive == start)
        }
    }

    @Test(arguments: kinds)
    func `a consumer may let go after Python has stopped`(kind: String) async {
        await #expect(processExitsWith: .success) { [kind] in
            let moved = try Moved(kind, of: Self.numbers)
            try TestPython.start().stop()
            try moved.release()
        }
    }

    @Test(arguments: kinds)
    func `a consumer may let go after Python has stopped and started again`(kind: String) async {
        await #expect(processExitsWith: .success) { [kind] in
            let moved = try Moved(kind, of: Self.numbers)
            try TestPython.start().stop()
            let python = try TestPython.start()
            try moved.release()
            // What is made from now on is the new interpreter's.
            try python.run("def same(view): return view")
            let same = try python.function("same", in: "__main__")
            for round in 0..<40 {
                let buffer: SharedBuffer<Double> = try same(Self.writable([Double(round)]))
                #expect(Array(buffer) == [Double(round)])
            }
        }
    }

    @Test func `what Python still holds when it stops is given back`() async {
        await #expect(processExitsWith: .success) {
            let buffer = try Self.writable(Self.numbers)
            try TestPython.fixture("keep_all", in: "capsules")(Exporter(buffer), buffer)
            try TestPython.start().stop()
            #expect(MemoryLedger.total.exportersAlive == 0)
        }
    }

    // MARK: - The end

    @Test(arguments: try libraries(), [true, false])
    func `Python may hold arrays when it stops, or when the process ends`(library: String, stops: Bool) async {
        await #expect(processExitsWith: .success) { [library, stops] in
            // The libraries lose objects when Python ends, and polars holds arrays in memory of its own; the ledger tells.
            leaveOutOfLeaks()
            try Self.fixture("keep")(Exporter(Self.writable(Self.numbers)), library)
            if stops {
                try TestPython.start().stop()
                // PyTorch does not free its tensors when Python ends.
                #expect(library == "torch" || MemoryLedger.total.exportersAlive == 0)
            }
        }
    }

    // MARK: - Lent memory

    @Test(arguments: try libraries() + ["exporter"])
    func `an array that is kept of lent memory is an escape until it is dropped`(library: String) throws {
        let keep = try Self.fixture("keep_lent")
        var array = Self.numbers
        let error = thrown { try keep(.lending(&array), library) }
        let escape = try #require(error?.escape)
        #expect(escape.views.map { $0.argument } == ["view"])
        array[0] = -1
        try Self.churn()
        let lease = escape.views[0].lease
        if library != "exporter" {
            let elements: [Double] = try values(try Self.fixture("kept_under")(library) as PythonObject)
            #expect(elements == Self.numbers)
        } else {
            let exporter: PythonObject = try Self.fixture("kept_under")(library)
            for library in try Self.libraries() {
                #expect(thrown { try take(exporter, library) }?.exception?.type == "BufferError")
            }
        }
        #expect(!lease.hasEnded)
        try Self.fixture("forget")(library)
        #expect(lease.hasEnded)
    }

    /// Ten thousand times, one test after the other: each keeps a processor busy.
    @Suite(.serialized, .timeLimit(.minutes(15))) struct LeakTests {
        @Test(arguments: try InterchangeTests.libraries())
        func `ten thousand arrays of Swift's memory leave nothing`(library: String) async {
            await #expect(processExitsWith: .success) { [library] in
                let roundTrip = try InterchangeTests.fixture("round_trip")
                let buffer = try InterchangeTests.writable([1.0, 2, 3])
                try MemoryTests.expectFlat(10_000) { _ in
                    let count: Int = try roundTrip(Exporter(buffer), library)
                    #expect(count == 3)
                }
            }
        }

        @Test(arguments: try InterchangeTests.sources())
        func `ten thousand views of Python's memory leave nothing`(source: String) async {
            await #expect(processExitsWith: .success) { [source] in
                let identity = try InterchangeTests.fixture("identity")
                let object = try InterchangeTests.make(source, [1.0, 2, 3])
                try MemoryTests.expectFlat(10_000) { _ in
                    let buffer: PythonBuffer<Double> = try identity(object)
                    #expect(buffer.count == 3)
                }
            }
        }

        @Test func `ten thousand refusals leave nothing`() async {
            await #expect(processExitsWith: .success) {
                let identity = try InterchangeTests.fixture("identity")
                let objects = try [
                    "OnlyArrow(pa.array([1.5, None]))", "pa.chunked_array([[1.5], [2.5]])",
                    "OnlyArrow(pa.array(['a']))",
                    "Fake('capsule')", "Fake(device=(2, 0))", "OnlyDLPack(np.zeros(2, np.float32))",
                ].map(InterchangeTests.evaluate)
                try MemoryTests.expectFlat(10_000 / objects.count) { _ in
                    for object in objects { _ = thrown { let _: PythonBuffer<Double> = try identity(object) } }
                }
            }
        }
    }
}
