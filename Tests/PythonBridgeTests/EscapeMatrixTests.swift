import Glibc
import PythonBridge
import Testing

/// Every way in which Python can keep memory, with memory of every kind, lent and shared.
///
/// `Tests/Fixtures/keeping.py` lists the ways and says what comes of each. Each test is a process of its own, in which nothing
/// else counts or allocates.
@Suite struct EscapeMatrixTests {
    enum Memory: String, CaseIterable, Codable {
        case array, adoptedArray, buffer, file, sealed, pointer, span

        var kinds: [Kind] {
            let passings: [Passing] =
                switch self {
                case .array, .pointer: [.lent, .lentWithLayout]
                case .span: [.lent]
                case .adoptedArray, .buffer, .file, .sealed: Passing.allCases
                }
            return passings.flatMap { passing in
                (self == .adoptedArray ? [false] : [false, true]).map {
                    Kind(memory: self, passing: passing, isWritable: $0)
                }
            }
        }
    }

    enum Passing: CaseIterable {
        case lent, lentWithLayout, shared, sharedWithLayout
        /// After calls that kept nothing: with another argument, and alone.
        case sharedAgain, sharedAgainAlone
    }

    @Test(arguments: Memory.allCases)
    func `what Python keeps, and only that, outlives the call, until it is dropped`(memory: Memory) async {
        await #expect(processExitsWith: .success) { [memory] in
            let cells = try Cells()
            for kind in memory.kinds {
                for way in cells.ways { try cells.check(kind, way) }
            }
        }
    }
}

extension EscapeMatrixTests {
    /// What the tests of one process share.
    struct Cells {
        static let elements = (1...2048).map { Double($0) }
        static let shape = [64, 32]

        let ways: [String]
        private let outcome, keep, difference, newView, negateFirst, drop, collect: PythonFunction

        init() throws {
            let python = try TestPython.start()
            ways = try TestPython.fixture("names", in: "keeping")()
            outcome = try TestPython.fixture("outcome", in: "keeping")
            keep = try TestPython.fixture("keep", in: "keeping")
            difference = try TestPython.fixture("difference", in: "keeping")
            newView = try TestPython.fixture("new_view", in: "keeping")
            negateFirst = try TestPython.fixture("negate_first", in: "keeping")
            drop = try TestPython.fixture("drop", in: "keeping")
            collect = try TestPython.fixture("collect", in: "keeping")
            // What is there before the first cell is no garbage: the collector need not go through it after each.
            try python.run("import gc; gc.disable(); gc.collect(); gc.freeze()")
        }

        func check(_ kind: Kind, _ way: String) throws {
            let cell: Comment = "\(kind), \(way)"
            let start = MemoryLedger.total
            let expected: String = try outcome(way, !kind.isWritable, kind.dimensions)
            let isKept = ["kept", "collected"].contains(expected)
            let isEscape = isKept && kind.isLent

            var passed: Passed? = try kind.pass(to: keep, way)
            let address = passed?.address
            let trace = passed?.trace
            let failure = passed?.failure
            #expect(failure?.escape?.views.map(\.argument) == (isEscape ? ["view"] : nil), cell)
            #expect(failure?.exception?.type == (isKept || expected == "copied" ? nil : expected), cell)
            let lease = failure?.escape?.views.first?.lease
            func expectKept(_ isKept: Bool) {
                #expect((MemoryLedger.total - start).exportersAlive == (isKept ? 1 : 0), cell)
                #expect(lease?.hasEnded == (isEscape ? !isKept : nil), cell)
                if let trace { #expect(trace.isGivenBack == !isKept, cell) }
            }

            if try negateFirst(way) {
                #expect(passed?.memory.isUnchanged == kind.becomesPythons, cell)
                #expect((passed?.memory.address == address) == !kind.becomesPythons, cell)
                let _: Bool = try negateFirst(way)
            }
            if trace != nil { passed = nil }
            expectKept(isKept)
            churn()
            let wrong: String = try difference(way, !kind.isWritable)
            #expect(wrong == "", cell)
            let view: String = try newView(way)
            #expect(["", kind.isLent ? "BufferError" : "memoryview"].contains(view), cell)

            try drop(way)
            expectKept(expected == "collected")
            try collect()
            expectKept(false)
            let ledger = MemoryLedger.total - start
            #expect(ledger.viewsOpen == 0, cell)
            #expect(ledger.escapes == (isEscape ? 1 : 0), cell)
            passed?.memory.deallocate()
        }
    }

    /// Fills, and frees, memory that was free.
    static func churn() {
        let arrays = (0..<8).map { Array(repeating: -Double($0), count: Cells.elements.count) }
        #expect(arrays.count == 8)
    }

    /// One kind of memory, and how Python gets it.
    struct Kind: CustomStringConvertible {
        let memory: Memory
        let passing: Passing
        let isWritable: Bool

        var description: String { "\(isWritable ? "writable" : "read-only") \(memory) \(passing)" }
        var isLent: Bool { passing == .lent || passing == .lentWithLayout }
        var dimensions: Int {
            [.lentWithLayout, .sharedWithLayout].contains(passing) ? Cells.shape.count : 1
        }
        /// Whether Swift goes on with a copy when a view escapes.
        var becomesPythons: Bool { memory == .array && isWritable }

        /// New memory, passed to Python.
        func pass(to keep: PythonFunction, _ way: String) throws -> Passed {
            switch memory {
            case .array: try passArray(to: keep, way)
            case .span: try passSpan(to: keep, way)
            case .pointer: try passPointer(to: keep, way)
            case .adoptedArray, .buffer, .file, .sealed: try passBuffer(to: keep, way)
            }
        }

        private var newArray: [Double] { unsafe Cells.elements.withUnsafeBufferPointer { unsafe Array($0) } }

        private func passArray(to keep: PythonFunction, _ way: String) throws -> Passed {
            var array = newArray
            let address = array.address
            let trace = Trace(of: array)
            let layout = try ArrayLayout(rowMajor: Cells.shape)
            let failure = thrown {
                switch (passing, isWritable) {
                case (.lent, false): try keep(.lending(array), way)
                case (.lent, true): try keep(.lending(&array), way)
                case (_, false): try keep(.lending(array, layout), way)
                case (_, true): try keep(.lending(&array, layout), way)
                }
            }
            return Passed(failure: failure, address: address, trace: trace, memory: .array(array))
        }

        private func passSpan(to keep: PythonFunction, _ way: String) throws -> Passed {
            var array = newArray
            let failure = thrown {
                if isWritable {
                    var span = array.mutableSpan
                    try unsafe keep(.lending(unsafe: &span), way)
                } else {
                    try unsafe keep(.lending(unsafe: array.span), way)
                }
            }
            return Passed(failure: failure, address: array.address, trace: nil, memory: .array(array))
        }

        private func passPointer(to keep: PythonFunction, _ way: String) throws -> Passed {
            let memory = UnsafeMutableBufferPointer<Double>.allocate(capacity: Cells.elements.count)
            _ = unsafe memory.initialize(from: Cells.elements)
            let input = UnsafeBufferPointer(memory)
            let layout = try ArrayLayout(rowMajor: Cells.shape)
            let failure = thrown {
                switch (passing, isWritable) {
                case (.lent, false): try unsafe keep(.lending(input), way)
                case (.lent, true): try unsafe keep(.lending(memory), way)
                case (_, false): try unsafe keep(.lending(input, layout), way)
                case (_, true): try unsafe keep(.lending(memory, layout), way)
                }
            }
            return Passed(
                failure: failure, address: Int(bitPattern: memory.baseAddress), trace: nil,
                memory: unsafe .pointer(memory))
        }

        private func passBuffer(to keep: PythonFunction, _ way: String) throws -> Passed {
            let buffer = try newBuffer()
            let array = try SharedArray(buffer, shape: Cells.shape)
            let failure = thrown {
                switch passing {
                case .lent: try keep(.lending(buffer), way)
                case .lentWithLayout: try keep(.lending(array), way)
                case .shared: try keep(buffer, way)
                case .sharedWithLayout: try keep(array, way)
                case .sharedAgain:
                    try Self.passTwice(buffer)
                    try keep(buffer, way)
                case .sharedAgainAlone:
                    try Self.passTwice(buffer)
                    try TestPython.fixture("choose", in: "keeping")(way)
                    try TestPython.fixture("keep_by_choice", in: "keeping")(buffer)
                }
            }
            return Passed(
                failure: failure, address: buffer.address, trace: try Trace(of: buffer), memory: .buffer(buffer))
        }

        private static func passTwice(_ buffer: SharedBuffer<Double>) throws {
            let length = try TestPython.fixture("length", in: "values")
            for _ in 0..<2 { #expect(try length(buffer) as Int == buffer.count) }
        }

        private func newBuffer() throws -> SharedBuffer<Double> {
            switch memory {
            case .adoptedArray: SharedBuffer(sharing: newArray)
            case .file: try newMapping()
            default: try newMemory()
            }
        }

        private func newMapping() throws -> SharedBuffer<Double> {
            try withTemporaryDirectory { folder in
                let file = folder.path + "/elements"
                writeFile(unsafe Cells.elements.withUnsafeBytes { unsafe Array($0) }, to: file)
                return try SharedBuffer(mapping: file, access: isWritable ? .readWrite : .readOnly)
            }
        }

        private func newMemory() throws -> SharedBuffer<Double> {
            let count = Cells.elements.count
            let buffer: SharedBuffer<Double> =
                try memory == .sealed ? SharedBuffer(sharedMemoryCapacity: count) : SharedBuffer(capacity: count)
            _ = unsafe buffer.withUnsafeMutableBufferPointer { unsafe $0.update(fromContentsOf: Cells.elements) }
            return isWritable ? buffer : buffer.readOnly
        }
    }

    /// What came of passing memory, which Swift still holds.
    struct Passed {
        let failure: PythonError?
        /// Where the memory was when it was passed.
        let address: Int
        /// Nil for memory that the bridge does not keep for a view that escapes.
        let trace: Trace?
        let memory: Held
    }

    /// Tells whether an array or a buffer has given its memory back.
    struct Trace {
        private weak var owner: AnyObject?

        var isGivenBack: Bool { owner == nil }

        init(of array: [Double]) {
            // An array is a reference to the object that its elements are in.
            owner = unsafe unsafeBitCast(array, to: AnyObject.self)
        }

        init(of buffer: SharedBuffer<Double>) throws {
            let storage = Mirror(reflecting: buffer).children.first { $0.label == "storage" }
            owner = try #require(storage).value as AnyObject
        }
    }

    @safe enum Held {
        case array([Double])
        case buffer(SharedBuffer<Double>)
        case pointer(UnsafeMutableBufferPointer<Double>)

        var address: Int {
            switch self {
            case .array(let array): array.address
            case .buffer(let buffer): buffer.address
            case .pointer(let memory): Int(bitPattern: memory.baseAddress)
            }
        }

        var isUnchanged: Bool {
            guard let base = unsafe UnsafeRawPointer(bitPattern: address) else { return false }
            return unsafe Cells.elements.withUnsafeBytes { expected in
                unsafe expected.baseAddress.map { unsafe memcmp(base, $0, expected.count) } == 0
            }
        }

        func deallocate() {
            if case .pointer(let memory) = self { unsafe memory.deallocate() }
        }
    }
}
