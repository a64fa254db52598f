import PythonBridge
import Testing

/// What was lent for one call and is kept longer. ``EscapeMatrixTests`` has the ways to keep one view.
@Suite struct EscapeTests {
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
    }

    @Test func `both arguments are named, in their order`() throws {
        try python.run(
            "escape_pair = []\ndef escape_both(samples, weights, indices): escape_pair.extend([indices, samples])")
        let keep = try python.function("escape_both", in: "__main__")
        var indices = [0]
        let escape = try #require(thrown { try keep(.lending([1.0]), .lending([2.0]), .lending(&indices)) }?.escape)
        #expect(escape.views.map { $0.argument } == ["samples", "indices"])
        try python.run("escape_pair.pop()")
        #expect(escape.views[0].lease.ends)
        #expect(!escape.views[1].lease.hasEnded)
        try python.run("escape_pair.pop()")
        #expect(escape.views.allSatisfy { $0.lease.ends })
    }

    @Test func `an escape together with an exception carries both`() throws {
        try python.run(
            """
            escape_raised = []
            def escape_and_raise(samples):
                escape_raised.append(samples)
                raise LookupError("no such sample")
            """)
        let keep = try python.function("escape_and_raise", in: "__main__")
        let escape = try #require(thrown { try keep(.lending([1.0])) }?.escape)
        #expect(escape.views.map { $0.argument } == ["samples"])
        #expect(escape.exception?.type == "LookupError")
        #expect(escape.exception?.message == "no such sample")
        try python.run("escape_raised.clear()")
        #expect(escape.views[0].lease.ends)
    }

    @Test func `a view in the result is an escape that has ended by the next call`() throws {
        try python.run("def escape_identity(samples): return samples")
        let call = try python.function("escape_identity", in: "__main__")
        let error = thrown { let _: PythonObject = try call(.lending([1.0])) }
        #expect(error?.escape?.views.map { $0.argument } == ["samples"])
        try python.run("pass")
        #expect(error?.escape?.views.first?.lease.ends == true)
    }

    @Test func `a result that is read whole from the lent memory is no escape`() throws {
        let identity: PythonObject = try python.evaluate("lambda samples: __import__('numpy').asarray(samples)[::-1]")
        let reversed: [Int] = try identity.function("__call__")(.lending([1, 2, 3]))
        #expect(reversed == [3, 2, 1])
    }

    @Test func `an exception that leaves a function with lent memory is no escape`() throws {
        try python.run("def escape_none(samples):\n    array = memoryview(samples)\n    raise ValueError(len(array))")
        let function = try python.function("escape_none", in: "__main__")
        let error = thrown { try function(.lending([1, 2])) }
        #expect(error?.escape == nil)
        #expect(error?.exception?.message == "2")
    }

    @Test(arguments: [1, 2, 3])
    func `a view among variable arguments is not named after another parameter`(kept: Int) throws {
        try python.run(
            """
            escape_star\(kept) = []
            def escape_keep_star\(kept)(*views, threshold=2, nan="raise"):
                escape_star\(kept).append(views[\(kept) - 1])
            """)
        let keep = try python.function("escape_keep_star\(kept)", in: "__main__")
        let escape = thrown { try keep(.lending([1]), .lending([2]), .lending([3])) }?.escape
        let name = try #require(escape?.views.first?.argument)
        #expect(["views", "argument \(kept)"].contains(name))
        try python.run("escape_star\(kept).clear()")
    }

    @Test func `a callable that does not tell its parameters has them counted`() throws {
        try python.run("escape_list = []")
        let list: PythonObject = try python.evaluate("escape_list")
        let append = try list.function("append")
        let name = try #require(thrown { try append(.lending([1])) }?.escape?.views.first?.argument)
        #expect(["object", "argument 1"].contains(name))
        try python.run("escape_list.clear()")
    }

    @Test func `the call after an escape works`() throws {
        let failure = thrown { try TestPython.memory("keep_array")(.lending([1]), "next") }
        #expect(failure?.escape != nil)
        let seen: [Int] = try TestPython.memory("values")(.lending([2]))
        #expect(seen == [2])
        try TestPython.memory("forget")("next")
    }

    @Test(.timeLimit(.minutes(15)))
    func `a raw lend's lease ends on whatever thread Python drops the view`() throws {
        let keep = try TestPython.memory("keep_array")
        let buffer = try SharedBuffer<Int>(capacity: 3)
        let error = unsafe buffer.withUnsafeBufferPointer { memory in
            thrown { try unsafe keep(.lending(memory), "dropped elsewhere") }
        }
        let lease = try #require(error?.escape?.views.first?.lease)
        try onNewThreads { _ in try TestPython.memory("forget")("dropped elsewhere") }
        #expect(lease.ends)
    }

    @Test func `Python cannot make memory of its own`() throws {
        let call: PythonObject = try python.evaluate("lambda view: type(view.obj)()")
        let new: PythonObject = try python.evaluate("lambda view: object.__new__(type(view.obj))")
        let copy: PythonObject = try python.evaluate("lambda view: __import__('copy').copy(view.obj)")
        for function in [call, new, copy] {
            let call = try function.function("__call__")
            let failure = thrown { try call(.lending([1])) }
            #expect(failure?.exception?.type == "TypeError")
        }
    }

    /// Runs Python while the call is put together, and cannot be passed.
    struct Thief: PythonConvertible {
        let steal: PythonFunction
        let length: Int

        @unsafe func pythonValue() throws(PythonError) -> PythonValue {
            try steal(length)
            throw .invalidBuffer("this argument fails")
        }
    }

    @Test func `a view that Python takes before a later argument fails is an escape`() throws {
        let length = 1013
        var array = [Int](repeating: 5, count: length)
        let thief = Thief(steal: try TestPython.memory("steal"), length: length)
        let failure = thrown { try TestPython.memory("ignore")(.lending(&array), thief, .lending([1])) }
        let escape = try #require(failure?.escape)
        #expect(escape.views.count == 1)
        try python.run("from Tests.Fixtures.memory import kept\nkept['stolen'][0][0] = 9")
        #expect(array == [Int](repeating: 5, count: length))
        try TestPython.memory("forget")("stolen")
        #expect(escape.views[0].lease.ends)
    }
}
