import Glibc
import PythonBridge
import Testing

/// What Python gives to Swift.
extension InterchangeTests {
    /// How the fixture makes arrays, and in which library.
    static func sources() throws(PythonError) -> [String] {
        let always = [
            "numpy by DLPack", "numpy by old DLPack", "pyarrow by DLPack", "pyarrow by Arrow", "pyarrow",
            "pyarrow in one chunk", "polars",
        ]
        return try always + libraries().filter { $0 == "torch" }
    }

    static func library(of source: String) -> String { String(source.prefix { $0 != " " }) }

    static func make<E: TestElement>(_ source: String, _ elements: [E]) throws(PythonError) -> PythonObject {
        try fixture("make")(source, E.dtype, elements)
    }

    /// Reads an object as `R`, without a byte copied.
    static func view<R: PythonResult>(_ object: PythonObject, as type: R.Type = R.self) throws(PythonError) -> R {
        let identity = try fixture("identity")
        let (view, ledger) = try MemoryLedger.recording { () throws(PythonError) in try identity(object) as R }
        #expect(ledger.bytesCopied == 0)
        return view
    }

    @Test(arguments: elementTypes, try sources())
    func `Swift reads every element type where Python has it`(type: any TestElement.Type, source: String) throws {
        func check<E: TestElement>(_: E.Type) throws {
            if try Self.fixture("lacks")(Self.library(of: source), E.dtype) { return }
            let object = try Self.make(source, E.samples)
            let expected: String = try describe(object)
            let buffer: PythonBuffer<E> = try Self.view(object)
            let address = unsafe buffer.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
            #expect(Self.describe(E.dtype, count: buffer.count, at: address) == expected)
            #expect(Array(buffer) == E.samples)
            let array: PythonArray<E> = try Self.view(object)
            #expect(Self.describe(array) == expected)
            #expect(array.elements == E.samples)
        }
        try check(type)
    }

    static func describe<E: TestElement>(_ array: PythonArray<E>) -> String {
        describe(E.dtype, array.layout, at: unsafe array.withUnsafePointer { Int(bitPattern: $0) })
    }

    @Test(arguments: elementTypes, try sources())
    func `another element type than the array's is refused`(type: any TestElement.Type, source: String) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let object = try Self.make(source, [1, 2] as [Int32])
            guard E.self != Int32.self else { return }
            let refusals = [
                thrown { let _: PythonBuffer<E> = try Self.view(object) },
                thrown { let _: PythonArray<E> = try Self.view(object) },
            ]
            #expect(refusals.map { $0?.isConversion } == [true, true])
            #expect(refusals[0]?.description.contains("format 'i'") == true)
        }
        try check(type)
    }

    static let layoutsOfPython = [
        "rows", "reversed dimensions", "swapped dimensions", "steps", "backwards", "repeated", "single element",
        "empty",
    ]

    @Test(arguments: layoutsOfPython, try sources().filter { $0.contains("numpy") || $0 == "torch" })
    func `Swift reads every layout where Python has it`(layout: String, source: String) throws {
        if source == "torch" && layout == "backwards" { return }  // PyTorch has no negative strides
        if source == "numpy by old DLPack" && layout == "repeated" { return }  // read-only, which is for newer ones
        let object: PythonObject = try Self.fixture("make_layout")(source, layout)
        let array: PythonArray<Int32> = try Self.view(object)
        let expected: String = try describe(object)
        if array.count > 0 {
            #expect(Self.describe(array) == expected)
        } else {
            #expect(expected.hasPrefix("int32 \(array.shape) by "))
        }
        let elements: [Int32] = try values(object)
        #expect(array.elements == elements)
        let refusal = thrown { let _: PythonBuffer<Int32> = try Self.view(object) }
        #expect(refusal?.isConversion == true)
    }

    @Test(arguments: try sources())
    func `an array without elements has none in Swift`(source: String) throws {
        let buffer: PythonBuffer<Double> = try Self.view(try Self.make(source, [] as [Double]))
        #expect(buffer.isEmpty)
        let array: PythonArray<Double> = try Self.view(try Self.make(source, [] as [Double]))
        #expect(array.shape == [0])
    }

    // MARK: - Parts

    /// Expressions in the fixture, and what Swift reads.
    static let parts = [
        "pa.array([5.5, 6.5, 7.5, 8.5])[1:3]": [6.5, 7.5],
        "OnlyArrow(pa.array([5.5, 6.5, 7.5, 8.5])[1:3])": [6.5, 7.5],
        "OnlyArrow(pa.array([5.5])[1:])": [],
        "OnlyArrow(pa.array([None, 6.5, 7.5, None])[1:3])": [6.5, 7.5],
        "OnlyArrow(pa.array([None] * 70 + [1.5] * 70)[70:])": [Double](repeating: 1.5, count: 70),
        "Uncounted(pa.array([5.5]))": [5.5],
        "Uncounted(pa.array([None, 6.5, 7.5, None])[1:3])": [6.5, 7.5],
        "Uncounted(pa.array([None] * 70 + [1.5] * 70)[70:])": [Double](repeating: 1.5, count: 70),
        "pa.chunked_array([pa.array([5.5, 6.5, 7.5])[1:]])": [6.5, 7.5],
        "pa.chunked_array([], type=pa.float64())": [],
        "pl.Series([5.5, 6.5, 7.5])[1:]": [6.5, 7.5],
        "pl.Series([None, 6.5, 7.5])[1:]": [6.5, 7.5],
        "pl.DataFrame({'a': [1, 2], 'b': [5.5, 6.5]})['b']": [5.5, 6.5],
        "pa.table({'a': [1, 2], 'b': [5.5, 6.5]})['b']": [5.5, 6.5],
        "OnlyDLPack(np.arange(6.0)[2:4])": [2, 3],
    ]

    static func evaluate(_ expression: String) throws(PythonError) -> PythonObject {
        try fixture("evaluate")(expression)
    }

    @Test(arguments: parts.keys.sorted())
    func `a part of an array is read where it starts`(expression: String) throws {
        let object = try Self.evaluate(expression)
        let buffer: PythonBuffer<Double> = try Self.view(object)
        #expect(Array(buffer) == Self.parts[expression])
        guard !buffer.isEmpty else { return }
        let address = unsafe buffer.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        let expected: String = try describe(object)
        #expect(Self.describe("float64", count: buffer.count, at: address) == expected)
    }

    @Test(arguments: [true, false])
    func `a tensor that is made by hand is read as the specification says`(isPlain: Bool) throws {
        let plain = isPlain ? "True" : "False"
        let tensors: [(String, [Double])] = [
            ("", [0, 1, 2, 3, 4, 5]), ("without=['strides']", [0, 1, 2, 3, 4, 5]),
            ("strides=(1, 2)", [0, 2, 4, 1, 3, 5]),
            ("byte_offset=8, shape=(1, 2)", [1, 2]), ("strides=(0, 0)", [0, 0, 0, 0, 0, 0]),
            ("dimensions=1, shape=(6, 0), strides=(1, 0)", [0, 1, 2, 3, 4, 5]), ("dimensions=0, byte_offset=24", [3]),
            ("dimensions=0, byte_offset=24, shape=(), without=['strides']", [3]),
            ("shape=(0, 3), without=['data']", []), ("delete=False", [0, 1, 2, 3, 4, 5]),
        ]
        for (changes, expected) in tensors {
            let tensor = try Self.evaluate("HandMade(\(plain), \(changes))")
            let array: PythonArray<Double> = try Self.view(tensor)
            #expect(array.elements == expected, "\(changes)")
        }
    }

    // MARK: - Refusals

    enum Refusal: Sendable {
        /// The bridge says that the array is another one than asked for, with this in the message.
        case conversion(String)
        /// Python raised an exception of this type, with this in the message.
        case exception(String, String)
        /// The array describes itself wrongly, with this in the message.
        case invalid(String)
    }

    /// Expressions in the fixture, none of which is an array of `Double` to Swift.
    static let refusals: [String: Refusal] = [
        // Arrow: what has no plain elements
        "OnlyArrow(pa.array([1.5, None]))": .exception("BufferError", "nulls"),
        "OnlyArrow(pa.array([1.5, None, 2.5])[1:])": .exception("BufferError", "nulls"),
        "OnlyArrow(pa.array([1.5] * 80 + [None])[75:])": .exception("BufferError", "nulls"),
        "Uncounted(pa.array([1.5, None]))": .exception("BufferError", "nulls"),
        "Uncounted(pa.array([1.5, None, 2.5])[1:])": .exception("BufferError", "nulls"),
        "Uncounted(pa.array([1.5] * 80 + [None])[75:])": .exception("BufferError", "nulls"),
        "pa.chunked_array([[1.5, None]])": .exception("BufferError", "nulls"),
        "pl.Series([1.5, None])": .exception("BufferError", "nulls"),
        "pl.Series([1.5, 2.5, None])[1:]": .exception("BufferError", "nulls"),
        "pa.chunked_array([[1.5], [2.5]])": .exception("BufferError", "several chunks"),
        "pl.concat([pl.Series([1.5]), pl.Series([2.5])], rechunk=False)": .exception("BufferError", "several chunks"),
        "OnlyArrow(pa.array(['a', 'b']))": .conversion("Arrow's u"),
        "OnlyArrow(pa.array([b'a']))": .conversion("Arrow's z"),
        "OnlyArrow(pa.array([True]))": .conversion("Arrow's b"),
        "OnlyArrow(pa.nulls(3))": .conversion("Arrow's n"),
        "OnlyArrow(pa.array([[1.5]]))": .conversion("Arrow's +l"),
        "OnlyArrow(pa.array([1.5, 1.5]).dictionary_encode())": .conversion("dictionary"),
        "OnlyArrow(pa.array([1], pa.timestamp('us', 'Europe/Berlin')))": .conversion("Arrow's ts"),
        "OnlyArrow(pa.record_batch({'a': [1.5]}))": .conversion("Arrow's +s"),
        "pa.record_batch({'a': [1.5]})": .conversion("Arrow's +s"),
        "pa.table({'a': [1.5]})": .conversion("Arrow's +s"),
        "pl.DataFrame({'a': [1.5]})": .conversion("Arrow's +s"),
        "pl.Series(['a'])": .conversion("Arrow's v"),
        "pl.Series([True])": .conversion("Arrow's b"),
        "pl.Series(['a', 'a'], dtype=pl.Categorical)": .conversion("dictionary"),
        // DLPack: what is elsewhere, or of another type
        "Fake(device=(2, 0))": .exception("BufferError", "device type 2"),
        "Fake(device=(13, 1))": .exception("BufferError", "device type 13"),
        "HandMade(device_type=2)": .exception("BufferError", "device type 2"),
        "HandMade(code=4, bits=16)": .conversion("bfloat16"),
        "HandMade(code=3)": .conversion("DLPack"),
        "HandMade(bits=4)": .conversion("DLPack"),
        "HandMade(code=17, bits=4)": .conversion("DLPack"),
        "HandMade(lanes=2)": .conversion("vectors"),
        "HandMade(lanes=0)": .conversion("vectors"),
        "HandMade(byte_offset=4)": .conversion("misaligned"),
        "HandMade(major=2)": .exception("BufferError", "DLPack version 2"),
        "OnlyDLPack(np.array(['2024-01-01'], 'datetime64[D]'))": .exception("BufferError", ""),
        "OnlyDLPack(np.arange(2.0).astype('>f8'))": .exception("BufferError", ""),
        "OnlyDLPack(np.zeros(2, np.longdouble))": .exception("BufferError", ""),
        "pa.array(['a', 'b'])": .exception("pyarrow.lib.ArrowTypeError", ""),
        "pa.array([1.5, None])": .exception("pyarrow.lib.ArrowTypeError", ""),
        // Rubbish
        "object()": .conversion("object"),
        "Fake(None)": .exception("TypeError", "__dlpack__"),
        "Fake('capsule')": .exception("TypeError", "__dlpack__"),
        "HandMade(name=b'tensor')": .exception("TypeError", "__dlpack__"),
        "HandMade(name=b'used_dltensor')": .exception("TypeError", "__dlpack__"),
        "Fake(pa.array([1]).__arrow_c_array__()[1])": .exception("TypeError", "__dlpack__"),
        "Fake(KeyError('tensor'))": .exception("KeyError", "tensor"),
        "Fake(TypeError('tensor'))": .exception("TypeError", "tensor"),
        "Fake(device=None)": .exception("TypeError", "__dlpack_device__"),
        "Fake(device=1)": .exception("TypeError", "__dlpack_device__"),
        "Fake(device=[1, 0])": .exception("TypeError", "__dlpack_device__"),
        "Fake(device=())": .exception("TypeError", ""),
        "Fake(device=('cpu', 0))": .exception("TypeError", ""),
        "Fake(device=KeyError('device'))": .exception("KeyError", "device"),
        "HandMade(dimensions=-1)": .exception("BufferError", "-1 dimensions"),
        "HandMade(dimensions=1 << 30)": .exception("BufferError", "dimensions"),
        "HandMade(without=['shape'])": .exception("BufferError", "2 dimensions"),
        "HandMade(without=['data'])": .conversion("elements without memory"),
        "HandMade(shape=(-2, 3))": .invalid("negative"),
        "FakeArrow(None)": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow(())": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow((1, 2))": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow(pa.array([1.5]).__arrow_c_array__()[::-1])": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow(list(pa.array([1.5]).__arrow_c_array__()))": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow(consumed(pa.array([1.5]).__arrow_c_array__()))": .exception("TypeError", "__arrow_c_array__"),
        "FakeArrow(KeyError('array'))": .exception("KeyError", "array"),
        "FakeStream(None)": .exception("TypeError", "__arrow_c_stream__"),
        "FakeStream(pa.array([1.5]).__arrow_c_array__()[0])": .exception("TypeError", "__arrow_c_stream__"),
        "FakeStream(KeyError('stream'))": .exception("KeyError", "stream"),
    ]

    @Test func `a stream that fails is refused with its own reason`() async {
        await #expect(processExitsWith: .success) {
            leaveOutOfLeaks()  // Arrow loses the text of its error
            let stream = try Self.evaluate("FakeStream(failing_stream)")
            let refusal = thrown { let _: PythonArray<Double> = try Self.view(stream) }
            #expect(refusal?.exception?.type == "BufferError")
            #expect(refusal?.exception?.message.contains("no second batch") == true)
        }
    }

    @Test(arguments: refusals.keys.sorted())
    func `what is no plain array is refused by name`(expression: String) throws {
        let object = try Self.evaluate(expression)
        let refusals = [
            thrown { let _: PythonBuffer<Double> = try Self.view(object) },
            thrown { let _: PythonArray<Double> = try Self.view(object) },
        ]
        for (refusal, names) in zip(refusals, [false, true]) {
            switch try #require(Self.refusals[expression]) {
            case .conversion(let message):
                #expect(refusal?.isConversion == true)
                #expect(!names || refusal?.description.contains(message) == true)
            case .exception(let type, let message):
                #expect(refusal?.exception?.type == type)
                #expect(refusal?.exception?.message.contains(message) == true)
            case .invalid(let message) where names:
                guard case .invalidBuffer(let reason) = refusal else {
                    Issue.record("\(refusal?.description ?? "nothing") was thrown")
                    return
                }
                #expect(reason.contains(message))
            case .invalid:
                #expect(refusal?.isConversion == true)
            }
        }
        let next: PythonBuffer<Double> = try Self.view(try Self.make("numpy by DLPack", [1.0]))
        #expect(Array(next) == [1])
    }

    @Test(arguments: try libraries().filter { $0 == "torch" })
    func `PyTorch refuses what is no plain tensor`(library: String) throws {
        let expressions = [
            "requires_grad": "torch.zeros(2, dtype=torch.float64, requires_grad=True)",
            "bfloat16": "torch.zeros(2, dtype=torch.bfloat16)",
            "conjugate": "torch.zeros(2, dtype=torch.complex128).conj()",
            "sparse": "torch.zeros(2, dtype=torch.float64).to_sparse()",
            "meta": "torch.zeros(2, dtype=torch.float64, device='meta')",
        ]
        for (name, expression) in expressions {
            let object = try Self.evaluate(expression)
            let refusal = thrown { let _: PythonBuffer<Double> = try Self.view(object) }
            #expect(refusal != nil, "\(name)")
            if name == "bfloat16" {
                #expect(refusal?.description.contains("bfloat16") == true)
            }
        }
    }

    @Test func `a tensor is deleted once when Swift takes it, and left to its capsule when Swift does not`() throws {
        for (changes, deletions) in [("", 1), ("lanes=2", 1), ("dimensions=-1", 0), ("device_type=2", 0)] {
            for isPlain in ["True", "False"] {
                let tensor = try Self.evaluate("HandMade(\(isPlain), \(changes))")
                let refusal = thrown { let _: PythonArray<Double> = try Self.view(tensor) }
                #expect((refusal == nil) == changes.isEmpty)
                let deleted: Int = try Self.fixture("deletions")(tensor)
                #expect(deleted == deletions, "\(changes)")
            }
        }
    }
}
