import Glibc
import PythonBridge
import Testing

/// Shared memory that is passed again and again arrives as the same view, until Python keeps that or changes it.
@Suite struct KeptViewTests {
    private let samples: SharedBuffer<Double>
    private let identity: PythonFunction

    init() throws {
        samples = try SharedBuffer(contentsOf: [1, 2, 3])
        identity = try TestPython.fixture("identity", in: "values")
        for _ in 0..<2 { try identity(samples) }
    }

    private func values(_ buffer: SharedBuffer<Double>) throws -> [Double] {
        try TestPython.memory("values")(buffer)
    }

    @Test func `a repeated call makes no exporter and takes no view, and counts what it shares`() throws {
        let length = try TestPython.fixture("length", in: "values")
        let (found, ledger) = try MemoryLedger.recording { () throws(PythonError) in
            try (0..<3).map { (_) throws(PythonError) in try length(samples) as Int }
        }
        #expect(found == [3, 3, 3])
        #expect(ledger.exportersMade == 0)
        #expect(ledger.viewsTaken == 0)
        #expect(ledger.bytesShared == 3 * 24)
    }

    @Test func `the memory may come twice in one call`() throws {
        let both: [Int] = try TestPython.memory("both_addresses")(samples, samples)
        #expect(both == [samples.address, samples.address])
        #expect(try values(samples) == [1, 2, 3])
    }

    @Test func `other parts of the memory, other permissions and other strides are views of their own`() throws {
        let buffer = try SharedBuffer<Double>(capacity: 4)
        for index in buffer.indices { buffer[index] = Double(index) }
        let values = try TestPython.memory("values")
        for _ in 0..<4 {
            #expect(try values(buffer) as [Double] == [0, 1, 2, 3])
            #expect(try values(buffer.extracting(1..<3)) as [Double] == [1, 2])
            #expect(try values(buffer.strided(from: 3, by: -2, count: 2)) as [Double] == [3, 1])
            #expect(thrown { try TestPython.memory("set_first")(buffer.readOnly, 7.0) }?.exception?.type == "TypeError")
            try TestPython.memory("set_first")(buffer, 0.0)
        }
    }

    @Test func `the hash of a view is that of what Swift has written since`() throws {
        let bytes = try SharedBuffer<UInt8>(capacity: 3)
        let hash = try TestPython.lambda("lambda view: (hash(view), hash(bytes(view)))[0] == hash(bytes(view))")
        for round in UInt8(0)..<6 {
            bytes[1] = round
            #expect(try hash(bytes.readOnly) as Bool)
        }
    }

    @Test func `an integer result is read whatever its size and kind`() throws {
        let compact = ["-1", "0", "7", "2**30 - 1", "1 - 2**30"]
        let long = ["2**30", "-2**30", "2**60", "2**63 - 1", "-2**63"]
        for expression in compact + long + ["True", "type('I', (int,), {})(5)"] {
            let result = try TestPython.lambda("lambda _: \(expression)")
            let digits: String = try TestPython.lambda("lambda: str(int(\(expression)))")()
            let expected = try #require(Int(digits))
            #expect(try result(samples) == expected, "\(expression)")
            #expect(try result(3) == expected, "\(expression)")
            #expect(try result.prepared(samples)() == expected, "\(expression)")
        }
        for expression in ["2**63", "-2**63 - 1", "'one'", "None", "1.0"] {
            let result = try TestPython.lambda("lambda _: \(expression)")
            let error = try #require(thrown { let _: Int = try result(samples) })
            #expect("\(error)" == thrown { let _: Int = try result(3) }.map { "\($0)" }, "\(expression)")
            let prepared = try result.prepared(samples)
            #expect("\(error)" == thrown { let _: Int = try prepared() }.map { "\($0)" }, "\(expression)")
        }
        #expect(try values(samples) == [1, 2, 3])
    }

    @Test func `a view that Python releases costs nobody else`() throws {
        let release = try TestPython.memory("release")
        for _ in 0..<3 {
            try release(samples)
            #expect(try values(samples) == [1, 2, 3])
        }
    }

    @Test func `a call within a call has a view of its own`() throws {
        let call = try TestPython.memory("call_within")
        let back = PythonCallback { [samples] (_: PythonObject) throws in try values(samples) == [1, 2, 3] }
        for _ in 0..<3 { #expect(try call(samples, back) as Double == 1) }
    }

    @Test func `calls of several threads at once each have one`() throws {
        let sum = try TestPython.fixture("sum_all", in: "threads")
        let wrong = Counter()
        try onNewThreads(4) { [samples] _ in
            for _ in 0..<500 where try sum(samples) as Double != 6 { wrong.add(1) }
        }
        #expect(wrong.value == 0)
    }

    @Test func `a view that Python has kept is made anew for the next call`() throws {
        try TestPython.memory("keep_array")(samples, "kept view")
        #expect(try values(samples) == [1, 2, 3])
        for _ in 0..<3 { #expect(try TestPython.memory("address")(samples) as Int == samples.address) }
        #expect(try TestPython.memory("kept_values")("kept view") as [Double] == [1, 2, 3])
        try TestPython.memory("forget")("kept view")
    }

    @Test func `the garbage collector does not know of a view that no call uses`() throws {
        let found: [PythonObject] = try TestPython.memory("collectable_views")(samples.address)
        #expect(found.isEmpty)
    }

    @Test func `memory is given back with its last buffer, on a thread that is not attached`() async {
        await #expect(processExitsWith: .success) {
            let length = try TestPython.fixture("length", in: "values")
            let size = 64 << 20
            let before = residentBytes()
            for _ in 0..<3 {
                let buffer = try SharedBuffer<UInt8>(capacity: size)
                unsafe buffer.withUnsafeMutableBufferPointer { unsafe $0.update(repeating: 1) }
                for _ in 0..<3 { #expect(try length(buffer) as Int == size) }
            }
            #expect(residentBytes() - before < size / 2)
        }
    }

    @Test func `a buffer outlives the interpreter, and is passed to the next one`() async {
        await #expect(processExitsWith: .success) {
            let buffer = try SharedBuffer(contentsOf: [1.0, 2])
            for _ in 0..<3 {
                let python = try PythonInterpreter.start()
                let length = try python.function("len", in: "builtins")
                for _ in 0..<3 { #expect(try length(buffer) as Int == 2) }
                try python.stop()
            }
            checkForLeaks()
        }
    }
}
