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
        #expect(escape.views[0].lease.ends)
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
        #expect(escape.views[0].lease.ends)
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

    @Test func `a lend that escaped is of the array's own memory when it is passed again`() throws {
        let keep = try python.function("writable_keep", in: "__main__")
        let double = try TestPython.memory("double")
        var array = [Int](repeating: 5, count: 10)
        do {
            let lent: Lent<Int> = .lending(&array)
            do throws(PythonError) {
                try keep(lent)
            } catch {
                #expect(error.escape != nil)
            }
            try python.run("writable_kept.pop()")
            let other = [Int](repeating: 7, count: 10)
            try double(lent)
            #expect(other == [Int](repeating: 7, count: 10))
        }
        #expect(array == [14] + [Int](repeating: 10, count: 9))
    }

    @Test func `one lend that is passed twice and kept twice has both views keep its memory`() throws {
        let keep = try TestPython.memory("keep_both")
        var array = (0..<10_000).map { $0 }
        let expected = array
        do {
            let lent: Lent<Int> = .lending(&array)
            do throws(PythonError) {
                try keep(lent, lent, "twice")
            } catch {
                #expect(error.escape?.views.count == 2)
            }
        }
        array[0] = -1
        let churn = (0..<32).map { [Int](repeating: $0, count: 10_000) }
        try python.run("from Tests.Fixtures.memory import kept\ndel kept['twice'][0]")
        let seen: [Int] = try python.evaluate("kept['twice'][0].tolist()")
        #expect(seen == expected)
        #expect(churn.count == 32)
        try TestPython.memory("forget")("twice")
    }

    @Test func `a copy of what is lent keeps its values`() throws {
        var array = [1, 2, 3]
        let copy: [Int]?
        do {
            let lent: Lent<Int> = .lending(&array)
            copy = lent.lendOwner as? [Int]
            try TestPython.memory("double")(lent)
        }
        #expect(copy == [1, 2, 3])
        #expect(array == [2, 4, 6])
    }

    @Test func `an escape tells what to do, and what was raised besides`() throws {
        try python.run("def writable_fail(memory):\n    writable_kept.append(memory)\n    raise KeyError('why')")
        var array = [1]
        let failure = thrown { try python.function("writable_fail", in: "__main__")(.lending(&array)) }
        let text = try #require(failure?.description)
        #expect(text.hasPrefix("Python kept a view of memory, lent for one call: share a SharedBuffer, or keep a copy"))
        #expect(text.hasSuffix("KeyError: 'why'"))
        try python.run("writable_kept.clear()")
    }
}
