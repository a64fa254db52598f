import Glibc
import PythonBridge
import Testing

/// The three ways in which a result comes back: in the caller's buffer, in Swift memory that Python asks for, in Python's own.
@Suite struct ResultRouteTests {
    let python: PythonInterpreter

    init() throws {
        python = try TestPython.start()
        try python.run("import numpy as np, gc, threading\nfrom Tests.Fixtures.values import Index as RouteIndex")
    }

    /// Expects nothing but what was on demand. Exporters alive may be fewer: a thread releases what others gave up.
    func expectNoCopy(_ ledger: MemoryLedger, onDemand: Int = 0) {
        #expect(ledger.bytesCopied == 0)
        #expect(ledger.bytesOnDemand == onDemand)
        #expect(ledger.escapes == 0)
    }

    // MARK: - The caller's buffer

    @Test(arguments: elementTypes)
    func `a result is in the caller's buffer, without a copy`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let copy = try TestPython.memory("copy")
            let byteCount = E.samples.count * MemoryLayout<E>.stride
            let shared = try SharedBuffer<E>(capacity: E.samples.count)
            var array = Array(shared)
            let place = array.address
            let (_, ledger) = try MemoryLedger.recording { () throws(PythonError) in
                try copy(.lending(E.samples), .lending(&array))
                try copy(.lending(E.samples), shared)
            }
            #expect(array == E.samples)
            #expect(array.address == place)
            #expect(Array(shared) == E.samples)
            expectNoCopy(ledger)
            #expect(ledger.bytesLent == 3 * byteCount)
            #expect(ledger.bytesShared == byteCount)
            #expect(ledger.exportersAlive <= 0)
        }
        try check(type)
    }

    // MARK: - Swift memory on demand

    @Test(arguments: elementTypes)
    func `Python writes its result into Swift memory that it asks for`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            try python.run(
                """
                def route_copy(source, allocate):
                    result = allocate(len(source))
                    np.asarray(result)[:] = np.asarray(source)
                    return result
                """)
            let copy = try python.function("route_copy", in: "__main__")
            let samples = E.samples
            let (result, ledger) = try MemoryLedger.recording { () throws(PythonError) -> SharedBuffer<E> in
                try copy(.lending(samples), BufferAllocator<E>())
            }
            #expect(Array(result) == samples)
            #expect(result.isWritableByPython)
            #expect(result.address.isMultiple(of: 64))
            expectNoCopy(ledger, onDemand: samples.count * MemoryLayout<E>.stride)
            #expect(ledger.bytesShared == ledger.bytesOnDemand)
            #expect(ledger.bytesLent == ledger.bytesOnDemand)
            #expect(ledger.exportersAlive <= 0)
        }
        try check(type)
    }

    @Test(.serialized, arguments: elementTypes)
    func `memory on demand is where numpy sees it, of its own type, and zero`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let keep = try TestPython.lambda(
                "lambda allocate, n: (gc.collect(), globals().update(routes=allocate(n)), routes)[2]")
            let zero = try SharedBuffer<E>(capacity: 1)[0]
            for count in [1, 7, 1000, 100_000] {
                let result: SharedBuffer<E> = try keep(BufferAllocator<E>(), count)
                let address: Int = try TestPython.memory("address")(
                    try python.evaluate("routes", as: PythonObject.self))
                #expect(address == result.address)
                let name: String = try python.evaluate("np.asarray(routes).dtype.name")
                #expect(name == E.dtype)
                #expect(result.count == count)
                #expect(result.allSatisfy { $0 == zero })
                // Python holds it still: a write of either side is both sides'.
                result[count - 1] = E.samples[1]
                let seen: E = try python.evaluate("np.asarray(routes)[-1].item()")
                #expect(seen == E.samples[1])
                for index in result.indices { result[index] = E.samples[1] }
            }
            try python.run("del routes")
        }
        try check(type)
    }

    @Test(arguments: [
        ("3", [3]), ("()", []), ("(4,)", [4]), ("(2, 3)", [2, 3]), ("[2, 3, 4]", [2, 3, 4]), ("0", [0]),
        ("(3, 0, 2)", [3, 0, 2]), ("np.int64(5)", [5]), ("np.array([2, 2])", [2, 2]), ("RouteIndex(6)", [6]),
        ("range(1, 4)", [1, 2, 3]), ("(1,) * 64", Array(repeating: 1, count: 64)), ("True", [1]),
    ])
    func `Python asks for any shape`(length: String, shape: [Int]) throws {
        let allocate = try TestPython.lambda("lambda allocate: allocate(\(length))")
        let (result, ledger) = try MemoryLedger.recording { () throws(PythonError) -> SharedArray<Int32> in
            try allocate(BufferAllocator<Int32>())
        }
        #expect(result.shape == shape)
        #expect(result.elements == Array(repeating: 0, count: shape.reduce(1, *)))
        expectNoCopy(ledger, onDemand: 4 * shape.reduce(1, *))
    }

    @Test(arguments: [
        ("-1", "ValueError", "negative"), ("(2, -1)", "ValueError", "negative"), ("-2 ** 63", "ValueError", "negative"),
        ("1.5", "TypeError", "float"), ("'12'", "TypeError", "str"), ("b'12'", "TypeError", "bytes"),
        ("None", "TypeError", "NoneType"), ("(1.5,)", "TypeError", "float"), ("('1',)", "TypeError", "str"),
        ("", "TypeError", "one argument"), ("1, 2", "TypeError", "one argument"), ("length=1", "TypeError", "keyword"),
        ("2 ** 60", "MemoryError", "bytes"), ("2 ** 63 - 1", "MemoryError", "bytes"),
        ("2 ** 46", "MemoryError", "bytes"),
        ("(2 ** 40, 2 ** 40)", "ValueError", "too large"), ("(0, 2 ** 40, 2 ** 40)", "ValueError", "too large"),
        ("(1,) * 65", "ValueError", "64"), ("2 ** 64", "TypeError", ""), ("object()", "TypeError", "object"),
    ])
    func `what is no length raises in Python, and nothing is allocated`(
        length: String, type: String, message: String
    ) throws {
        let allocate = try TestPython.lambda("lambda allocate: allocate(\(length))")
        let error = thrown { let _: SharedArray<Double> = try allocate(BufferAllocator<Double>()) }
        #expect(error?.exception?.type == type)
        #expect(error?.exception?.message.contains(message) == true, "\(error?.exception?.message ?? "")")
        let next: SharedBuffer<Double> = try TestPython.lambda("lambda allocate: allocate(2)")(
            BufferAllocator<Double>())
        #expect(Array(next) == [0, 0])
    }

    @Test func `an exception of the length itself surfaces`() throws {
        let allocate = try TestPython.lambda("lambda allocate: allocate(RouteIndex(KeyError('no length')))")
        let error = thrown { let _: SharedBuffer<Int> = try allocate(BufferAllocator<Int>()) }
        #expect(error?.exception?.type == "KeyError")
        #expect(error?.exception?.message.contains("no length") == true)
    }

    @Test func `Python asks for memory as often as it likes, and drops what it does not return`() throws {
        let best = try TestPython.lambda("lambda allocate: max((allocate(n) for n in range(10)), key=len)")
        let (result, ledger) = try MemoryLedger.recording { () throws(PythonError) -> SharedBuffer<Int16> in
            try best(BufferAllocator<Int16>())
        }
        #expect(result.count == 9)
        expectNoCopy(ledger, onDemand: 2 * 45)
        #expect(ledger.exportersMade == 10)
        #expect(ledger.exportersAlive <= 0)
    }

    @Test func `memory that Python asked for before it raised is given back`() throws {
        let fail = try TestPython.lambda("lambda allocate: [allocate(1000), {}['route']]")
        let (error, ledger) = MemoryLedger.recording { thrown { try fail(BufferAllocator<Int>()) } }
        #expect(error?.exception?.type == "KeyError")
        #expect(ledger.bytesOnDemand == 8000)
        // The traceback holds the frame until the exception is cleared.
        #expect(ledger.exportersAlive <= 0)
    }

    @Test func `another thread of Python's may ask`() throws {
        try python.run(
            """
            def route_threads(allocate):
                results = []
                def ask(n):
                    results.append(allocate(n))
                    results[-1][:] = memoryview(np.full(n, n))
                threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
                [thread.start() for thread in threads]
                [thread.join() for thread in threads]
                return max(results, key=len)
            """)
        let ask = try python.function("route_threads", in: "__main__")
        let result: SharedBuffer<Int> = try ask(BufferAllocator<Int>())
        #expect(Array(result) == Array(repeating: 8, count: 8))
    }

    @Test func `Python may keep the function and ask when the call is over`() throws {
        try TestPython.lambda("lambda allocate: globals().update(route_allocate=allocate)")(BufferAllocator<Float>())
        let result: SharedBuffer<Float> = try python.evaluate("route_allocate(3)")
        try python.run("del route_allocate")
        result[2] = 1.5
        #expect(Array(result) == [0, 0, 1.5])
    }

    @Test(arguments: [
        ("result[2:5]", [2, 3, 4]), ("result[9:]", [9]), ("result[4:4]", []), ("np.asarray(result)", Array(0..<10)),
        ("np.asarray(result)[3:][:4][1:]", [4, 5, 6]), ("memoryview(np.asarray(result))[1:3]", [1, 2]),
        ("result.cast('B').cast('l')", Array(0..<10)), ("result.cast('B')[16:32].cast('l')", [2, 3]),
        ("np.asarray(result).reshape(2, 5).ravel()", Array(0..<10)), ("np.frombuffer(result, int)[8:]", [8, 9]),
        ("np.ndarray(3, int, result, 8)", [1, 2, 3]), ("np.asarray(result.obj)", Array(0..<10)),
        ("np.asarray(result)[::5][:1]", [0]),
    ])
    func `part of what was allocated, or an array over it, is the same memory`(part: String, expected: [Int]) throws {
        let ask = try TestPython.lambda(
            """
            lambda allocate, keep: (result := allocate(10), np.copyto(np.asarray(result), range(10)), \
            keep.append(result), \(part))[-1]
            """)
        let kept: PythonObject = try python.evaluate("[]")
        let (result, ledger) = try MemoryLedger.recording { () throws(PythonError) -> SharedBuffer<Int> in
            try ask(BufferAllocator<Int>(), kept)
        }
        expectNoCopy(ledger, onDemand: 80)
        #expect(Array(result) == expected)
        let whole: SharedBuffer<Int> = try kept.function("pop")()
        if let first = expected.first { #expect(result.address == whole.address + 8 * first) }
        for index in result.indices { result[index] = -1 }
        #expect(whole.filter { $0 == -1 }.count == expected.count)
    }

    @Test(arguments: [
        ("np.asarray(result)[::2]", [0, 2, 4]), ("result[::-1]", [5, 4, 3, 2, 1, 0]),
        ("np.asarray(result).reshape(2, 3).T", [0, 3, 1, 4, 2, 5]), ("np.asarray(result).reshape(2, 3)[:, 1]", [1, 4]),
        ("np.broadcast_to(np.asarray(result)[4:5], (2, 2))", [4, 4, 4, 4]),
    ])
    func `what is not side by side is a SharedArray, and no SharedBuffer`(part: String, expected: [Int]) throws {
        let ask = try TestPython.lambda(
            "lambda allocate: (result := allocate(6), np.copyto(np.asarray(result), range(6)), \(part))[-1]")
        let result: SharedArray<Int> = try ask(BufferAllocator<Int>())
        #expect(result.elements == expected)
        let error = thrown { let _: SharedBuffer<Int> = try ask(BufferAllocator<Int>()) }
        #expect(error?.isConversion == true)
    }

    @Test(arguments: [
        "memoryview(bytearray(24))", "bytearray(24)", "np.zeros(3)", "np.asarray(result).copy()",
        "np.asarray(result) + 1",
        "memoryview(np.zeros(3))", "np.array(result)", "b'12345678'", "None", "3.0", "[1.0]",
        "result.cast('B')", "np.asarray(result).view(int)", "result.cast('B')[1:17]",
        "np.frombuffer(result.cast('B')[1:17], float)",
    ])
    func `what is not Swift's memory, or not of the type, is refused`(part: String) throws {
        let ask = try TestPython.lambda("lambda allocate: (result := allocate(3), \(part))[-1]")
        let errors = [
            thrown { let _: SharedBuffer<Double> = try ask(BufferAllocator<Double>()) },
            thrown { let _: SharedArray<Double> = try ask(BufferAllocator<Double>()) },
        ]
        #expect(errors.allSatisfy { $0?.isConversion == true }, "\(errors)")
    }

    @Test func `an array that lies about its extent is refused rather than read`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run("import numpy as np")
            for part in [
                "shape=(2,), strides=(2 ** 40,)", "shape=(2, 3), strides=(2 ** 62, 2 ** 62)",
                "shape=(4,), strides=(8,)",
                "shape=(3,), strides=(-8,)", "shape=(2, 2), strides=(-2 ** 62, 2 ** 62)",
            ] {
                let ask: PythonObject = try python.evaluate(
                    "lambda allocate: np.lib.stride_tricks.as_strided(np.asarray(allocate(3)), \(part))")
                let error = thrown { let _: SharedArray<Int> = try ask.function("__call__")(BufferAllocator<Int>()) }
                #expect(error != nil, "\(part)")
            }
        }
    }

    @Test func `a read-only view of what was allocated comes back read-only`() throws {
        let ask = try TestPython.lambda("lambda allocate: allocate(3).toreadonly()")
        let result: SharedBuffer<Int> = try ask(BufferAllocator<Int>())
        #expect(!result.isWritableByPython)
        let error = thrown { try TestPython.memory("set_first")(result, 1) }
        #expect(error?.exception?.type == "TypeError")
    }

    @Test func `memory on demand belongs to both sides`() throws {
        let ask = try TestPython.lambda("lambda allocate, keep: (keep.append(np.asarray(allocate(1000))), keep[0])[1]")
        let kept: PythonObject = try python.evaluate("[]")
        do {
            let result: SharedBuffer<Int> = try ask(BufferAllocator<Int>(), kept)
            result[999] = 7
        }
        let churn = try (0..<64).map { _ in try SharedBuffer<Int>(capacity: 1000) }
        let seen: Int = try TestPython.lambda("lambda keep: int(keep[0].sum())")(kept)
        #expect(seen == 7)
        let again: SharedBuffer<Int> = try kept.function("pop")()
        try python.run("gc.collect()")
        #expect(again[999] == 7)
        #expect(churn.count == 64)
    }

    @Test func `lent memory does not come back as shared`() throws {
        let identity = try TestPython.fixture("identity", in: "values")
        let asArray = try TestPython.lambda("lambda memory: np.asarray(memory)[1:]")
        var array = [1, 2, 3]
        let buffer = try SharedBuffer<Int>(contentsOf: array)
        for back in [identity, asArray] {
            let errors = [
                thrown { let _: SharedBuffer<Int> = try back(.lending(array)) },
                thrown { let _: SharedBuffer<Int> = try back(.lending(&array)) },
                thrown { let _: SharedBuffer<Int> = try back(.lending(buffer)) },
                thrown { let _: SharedArray<Int> = try back(.lending(array)) },
            ]
            #expect(errors.allSatisfy { $0?.isConversion == true }, "\(errors)")
        }
    }

    @Test func `lent memory that comes back as Python's is an escape, which ends with the error's result`() throws {
        let identity = try TestPython.fixture("identity", in: "values")
        var array = [1, 2, 3]
        let errors = [
            thrown { let _: PythonBuffer<Int> = try identity(.lending(array)) },
            thrown { let _: PythonArray<Int> = try identity(.lending(&array)) },
            thrown { let _: PythonObject = try identity(.lending(array)) },
        ]
        #expect(errors.map { $0?.escape?.views.map(\.argument) } == [["value"], ["value"], ["value"]])
        try python.run("pass")  // where what was given up on a thread that was not attached is released
        #expect(errors.allSatisfy { $0?.escape?.views[0].lease.ends == true })
        #expect(array == [1, 2, 3])
    }

    @Test func `shared memory that comes back is the same memory`() throws {
        let identity = try TestPython.fixture("identity", in: "values")
        let buffer = try SharedBuffer<Int>(capacity: 3)
        let back: SharedBuffer<Int> = try identity(buffer)
        back[1] = 5
        #expect(buffer[1] == 5)
        #expect(back.address == buffer.address)
        let sharing: SharedBuffer<Int> = try identity(SharedBuffer(sharing: [1, 2]))
        #expect(!sharing.isWritableByPython)
        #expect(Array(sharing) == [1, 2])
    }

    // MARK: - Python's own memory

    @Test(arguments: elementTypes)
    func `Python's array is read where it is, and held`(type: any TestElement.Type) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let held: PythonObject = try python.evaluate("[]")
            let make = try TestPython.lambda("lambda samples, held: held.append(np.array(samples)) or held[0]")
            let samples = E.samples
            let (result, ledger) = try MemoryLedger.recording { () throws(PythonError) -> PythonBuffer<E> in
                try make(.lending(samples), held)
            }
            expectNoCopy(ledger)
            #expect(ledger.bytesShared == 0)
            let address: Int = try TestPython.lambda("lambda held: held[0].__array_interface__['data'][0]")(held)
            #expect(unsafe result.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } == address)
            // Python changes it, drops it, and makes others, which would take its place if it were gone.
            try TestPython.lambda("lambda held: (np.copyto(held[0][:1], held[0][1:2]), held.clear(), gc.collect())")(
                held)
            try TestPython.lambda("lambda held, n, dtype: held.extend([np.zeros(n, dtype) for _ in range(64)])")(
                held, samples.count, E.dtype)
            #expect(Array(result) == [samples[1]] + samples.dropFirst())
        }
        try check(type)
    }

    @Test(arguments: [
        ("np.zeros(3, 'b')", "held.resize(1000)", "ValueError"),
        ("bytearray(3)", "held.append(1)", "BufferError"), ("bytearray(3)", "held.clear()", "BufferError"),
        ("__import__('array').array('b', [0] * 3)", "held.append(1)", "BufferError"),
        ("__import__('mmap').mmap(-1, 3)", "held.close()", "BufferError"),
    ])
    func `memory that Swift reads is not resized, and may be when Swift is done`(
        source: String, change: String, error: String
    ) throws {
        let scope: PythonObject = try python.evaluate("{'np': np}")
        let exec = try python.function("exec", in: "builtins")
        try exec("held = \(source)", scope)
        do {
            let held: PythonObject = try scope.function("get")("held")
            let memory: PythonObject = try TestPython.lambda("lambda held: memoryview(held).cast('B').cast('b')")(held)
            let result: PythonBuffer<Int8> = try TestPython.fixture("identity", in: "values")(memory)
            let refusal = thrown { try exec(change, scope) }
            #expect(refusal?.exception?.type == error)
            #expect(result.count == 3)
        }
        try exec(change, scope)
    }

    @Test func `Swift may be done on a thread that Python does not know`() throws {
        let bytes: PythonObject = try python.evaluate("bytearray(b'abc')")
        let append = try bytes.function("append")
        final class Holder: @unchecked Sendable { var buffer: PythonBuffer<UInt8>? }
        let holder = Holder()
        holder.buffer = try TestPython.fixture("identity", in: "values")(bytes)
        #expect(thrown { try append(1) }?.exception?.type == "BufferError")
        try onNewThreads { _ in holder.buffer = nil }
        try append(1)
        let count: Int = try TestPython.fixture("length", in: "values")(bytes)
        #expect(count == 4)
    }

    @Test func `an array whose base was released is not taken for Swift's memory`() throws {
        let make = try TestPython.memory("array_of_released_memory")
        for _ in 0..<50 {
            let error = thrown { let _: SharedBuffer<Int> = try make(3, BufferAllocator<Int>()) }
            #expect(error?.isConversion == true)
        }
    }

    @Test func `arrays of ctypes, which give no strides, are read by rows`() throws {
        let array: PythonArray<Int16> = try python.evaluate(
            "(((__import__('ctypes').c_int16 * 3) * 2) * 2)(((1, 2, 3), (4, 5, 6)), ((7, 8, 9), (10, 11, 12)))")
        #expect(array.shape == [2, 2, 3])
        #expect(array.elements == Array(1...12))
    }

    @Test(arguments: ["KeyboardInterrupt", "MemoryError", "ZeroDivisionError"])
    func `what a length raises is raised by the allocator`(type: String) throws {
        let error = thrown { try TestPython.memory("allocate_raising")(BufferAllocator<Int>(), type) }
        #expect(error?.exception?.type == type)
        #expect(error?.exception?.message == "mine")
    }

    @Test func `an allocator that Python calls while it stops raises`() async {
        await #expect(processExitsWith: .success) {
            let python = try PythonInterpreter.start(PythonConfiguration())
            try python.run(
                """
                import atexit, threading, time

                def fails(allocate):
                    try:
                        allocate(3)
                    except RuntimeError:
                        return
                    raise SystemError("it was given memory")

                def keep(allocate):
                    atexit.register(fails, allocate)
                    threading.Thread(target=lambda: (time.sleep(0.2), fails(allocate))).start()
                """)
            try python.function("keep", in: "__main__")(BufferAllocator<Int>())
            try python.stop()
        }
    }
}
