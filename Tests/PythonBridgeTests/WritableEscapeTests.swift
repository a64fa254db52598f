import PythonBridge
import Testing

/// An array that was lent to be written to, and that Python kept a view of: the memory is Python's then, and the array goes on
/// with a copy, wherever it was stored.
@Suite(.serialized) struct WritableEscapeTests {
    final class Stored {
        var array = [1, 2, 3]
        var observed = [1, 2, 3] { didSet { changes += 1 } }
        var changes = 0
        var computed: [Int] {
            get { array }
            set { array = newValue }
        }
    }

    struct Holder {
        var array = [1, 2, 3]
        var nested = [[0], [1, 2, 3]]
    }

    nonisolated(unsafe) static var global = [1, 2, 3]

    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
        try python.run(
            """
            writable_kept = []
            def writable_keep(memory):
                memory[0] = 7
                writable_kept.append(memory)
            """)
    }

    /// Lends `array`, which escapes, and lets Python write to what it kept.
    func escape(_ array: inout [Int]) throws {
        let keep = try python.function("writable_keep", in: "__main__")
        let failure = thrown { try keep(.lending(&array)) }
        let escape = try #require(failure?.escape)
        try afterwards(escape)
    }

    func afterwards(_ escape: PythonEscape) throws {
        #expect(!escape.views[0].lease.hasEnded)
        try python.run("writable_kept[-1][1] = 9")
        let seen: [Int] = try python.evaluate("writable_kept[-1].tolist()")
        #expect(seen == [7, 9, 3])
        try python.run("writable_kept.pop()")
        #expect(escape.views[0].lease.hasEnded)
    }

    @Test func `a local variable`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        var array = [1, 2, 3]
        let failure = thrown { try keep(.lending(&array)) }
        let escape = try #require(failure?.escape)
        try afterwards(escape)
        #expect(array == [7, 2, 3])
        array.append(4)
        #expect(array == [7, 2, 3, 4])
    }

    @Test func `an array that another variable shares`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        let original = [1, 2, 3]
        var array = original
        let failure = thrown { try keep(.lending(&array)) }
        let escape = try #require(failure?.escape)
        try afterwards(escape)
        #expect(array == [7, 2, 3])
        #expect(original == [1, 2, 3])
    }

    @Test func `a parameter`() throws {
        var array = [1, 2, 3]
        try escape(&array)
        #expect(array == [7, 2, 3])
    }

    @Test func `a property of a class, stored, observed and computed`() throws {
        let stored = Stored()
        try escape(&stored.array)
        #expect(stored.array == [7, 2, 3])
        try escape(&stored.observed)
        #expect(stored.observed == [7, 2, 3])
        #expect(stored.changes == 1)
        stored.array = [1, 2, 3]
        try escape(&stored.computed)
        #expect(stored.array == [7, 2, 3])
    }

    @Test func `a property of a struct and an item of an array`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        var holder = Holder()
        let failure4 = thrown { try keep(.lending(&holder.array)) }
        try afterwards(try #require(failure4?.escape))
        #expect(holder.array == [7, 2, 3])
        let failure5 = thrown { try keep(.lending(&holder.nested[1])) }
        try afterwards(try #require(failure5?.escape))
        #expect(holder.nested == [[0], [7, 2, 3]])
    }

    @Test func `a global variable`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        unsafe Self.global = [1, 2, 3]
        let failure6 = thrown { unsafe try keep(.lending(&Self.global)) }
        try afterwards(try #require(failure6?.escape))
        #expect(unsafe Self.global == [7, 2, 3])
    }

    @Test func `booleans stay 0 or 1 whatever Python writes later`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        var array = [false, true, false]
        let failure = thrown { try keep(.lending(&array)) }
        let escape = try #require(failure?.escape)
        try python.run("__import__('numpy').frombuffer(writable_kept[-1], 'u1')[:] = 255")
        #expect(array == [true, true, false])
        let bytes = unsafe array.withUnsafeBytes { unsafe Array($0) }
        #expect(bytes == [1, 1, 0])
        try python.run("writable_kept.pop()")
        #expect(escape.views[0].lease.hasEnded)
    }

    @Test func `a copy is made only when a view escaped`() throws {
        let first = try TestPython.fixture("first_of", in: "leaks")
        var array = [1, 2, 3]
        let address = array.address
        let (_, ledger) = try MemoryLedger.recording { () throws(PythonError) in
            let _: Int = try first(.lending([1.0]), .lending(&array))
        }
        #expect(array.address == address)
        #expect(ledger.bytesCopied == 0)
        #expect(ledger.bytesLent == 8 + 24)
        #expect(ledger.escapes == 0)
    }
}
