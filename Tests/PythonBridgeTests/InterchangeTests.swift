import Glibc
import PythonBridge
import Testing

/// DLPack and the Arrow C data interface, judged by the libraries that speak them: here what Swift gives to Python.
@Suite struct InterchangeTests {
    /// numpy, pyarrow and polars, and PyTorch where it is installed. The fixture cannot be imported without the three.
    static func libraries() throws(PythonError) -> [String] { try fixture("libraries")() }

    /// Those that take tensors.
    static func tensorLibraries() throws(PythonError) -> [String] {
        try libraries().filter { $0 == "numpy" || $0 == "torch" }
    }

    static func fixture(_ function: String) throws(PythonError) -> PythonFunction {
        try TestPython.fixture(function, in: "interchange")
    }

    /// What the fixture says of an array in `library`, or of one that Swift views.
    static func describe(_ dtype: String, _ layout: ArrayLayout, at address: Int) -> String {
        "\(dtype) \(layout.shape) by \(layout.strides) at \(address)"
    }

    static func describe(_ dtype: String, count: Int, at address: Int) -> String {
        "\(dtype) [\(count)] by [1] at \(address)"
    }

    static func writable<E: TestElement>(_ elements: [E]) throws(PythonError) -> SharedBuffer<E> {
        let buffer = try SharedBuffer<E>(capacity: elements.count)
        for (index, element) in elements.enumerated() { buffer[index] = element }
        return buffer
    }

    let take: PythonFunction
    let describe: PythonFunction
    let values: PythonFunction

    init() throws {
        take = try Self.fixture("take")
        describe = try Self.fixture("describe")
        values = try Self.fixture("values_of")
    }

    // MARK: - Elements

    @Test(arguments: elementTypes, try libraries())
    func `every element type arrives where it is, or is refused by name`(
        type: any TestElement.Type, library: String
    ) throws {
        func check<E: TestElement>(_: E.Type) throws {
            let buffer = try Self.writable(E.samples)
            if try Self.fixture("lacks")(library, E.dtype) {
                let refusal = thrown { let _: PythonObject = try take(Exporter(buffer), library) }?.exception
                if library != "torch" && E.dtype != "float16" {
                    #expect(refusal?.type == "BufferError")
                    #expect(refusal?.message.contains("Arrow has no elements of format '\(E.bufferFormat)'") == true)
                }
                #expect(refusal != nil)
                return
            }
            let array: PythonObject = try take(Exporter(buffer), library)
            let seen: String = try describe(array)
            #expect(seen == Self.describe(E.dtype, count: E.samples.count, at: buffer.address))
            let elements: [E] = try values(array)
            #expect(elements == E.samples)
        }
        try check(type)
    }

    @Test(arguments: elementTypes, try libraries())
    func `the object behind a lent memoryview is taken like any other, and is no escape`(
        type: any TestElement.Type, library: String
    ) throws {
        func check<E: TestElement>(_: E.Type) throws {
            if try Self.fixture("lacks")(library, E.dtype) { return }
            let describe = try Self.fixture("describe_lent")
            let values = try Self.fixture("values_of_lent")
            var array = E.samples
            let address = array.address
            let seen: String = try describe(.lending(&array), library)
            #expect(seen == Self.describe(E.dtype, count: array.count, at: address))
            let elements: [E] = try values(.lending(&array), library)
            #expect(elements == E.samples)
            let buffer = try Self.writable(E.samples)
            let shared: String = try describe(buffer, library)
            #expect(shared == Self.describe(E.dtype, count: buffer.count, at: buffer.address))
        }
        try check(type)
    }

    // MARK: - Layouts

    /// Arrays of the 24 elements of one buffer.
    static let layouts: [String: @Sendable (SharedBuffer<Double>) throws -> SharedArray<Double>] = [
        "rows": { try SharedArray($0, shape: [2, 3, 4]) },
        "columns": { try SharedArray($0, columnMajorShape: [4, 6]) },
        "transposed": { try SharedArray($0, shape: [6, 4]).transposed },
        "steps": { try SharedArray($0, layout: ArrayLayout(shape: [3, 2], strides: [8, 3], offset: 1)) },
        "backwards": { try SharedArray($0, shape: [6, 4]).reversed(along: 0).reversed(along: 1) },
        "repeated": { try SharedArray($0, shape: [1, 4]).broadcast(to: [3, 4]) },
        "single element": { try SharedArray($0, layout: ArrayLayout(shape: [], strides: [], offset: 5)) },
        "empty": { try SharedArray($0, shape: [2, 0, 3]) },
        "16 dimensions": { try SharedArray($0, shape: [Int](repeating: 1, count: 14) + [4, 6]) },
    ]

    @Test(arguments: layouts.keys.sorted(), try tensorLibraries())
    func `every layout arrives as it is`(name: String, library: String) throws {
        // PyTorch ends the process (std::terminate) when a tensor has a negative stride, also when it is numpy's.
        if library == "torch" && name == "backwards" { return }
        let buffer = try Self.writable((0..<24).map { Double($0) })
        let array = try #require(try Self.layouts[name]?(buffer))
        let takesReadOnly: Bool = try Self.fixture("takes_read_only")(library)
        guard array.isWritableByPython || takesReadOnly else {
            #expect(thrown { try take(Exporter(array), library) }?.exception?.type == "BufferError")
            return
        }
        let taken: PythonObject = try take(Exporter(array), library)
        let seen: String = try describe(taken)
        if array.count > 0 {
            let address = buffer.address + array.layout.offset * MemoryLayout<Double>.stride
            #expect(seen == Self.describe("float64", array.layout, at: address))
        } else {
            #expect(seen.hasPrefix("float64 \(array.shape) by "))
        }
        let elements: [Double] = try values(taken)
        #expect(elements == array.elements)
    }

    @Test(arguments: layouts.keys.sorted(), ["pyarrow", "polars"])
    func `what has several dimensions is refused to Arrow`(name: String, library: String) throws {
        let array = try #require(try Self.layouts[name]?(Self.writable((0..<24).map { Double($0) })))
        let refusal = thrown { try take(Exporter(array), library) }?.exception
        #expect(refusal?.type == "BufferError")
        #expect(refusal?.message == "an Arrow array has one dimension, and its elements side by side")
    }

    @Test(arguments: [1, 2, -1, -3], try libraries())
    func `a strided view arrives where it starts, unless the library takes no strides`(
        stride: Int, library: String
    ) throws {
        if library == "torch" && stride < 0 { return }  // it ends the process
        let buffer = try Self.writable((0..<12).map { Double($0) })
        let start = stride > 0 ? 1 : 11
        let view = try buffer.strided(from: start, by: stride, count: 4)
        let takesReadOnly: Bool = try Self.fixture("takes_read_only")(library)
        let takesStrides = library == "numpy" || library == "torch" || stride == 1
        guard takesReadOnly && takesStrides else {
            #expect(thrown { try take(Exporter(view), library) }?.exception?.type == "BufferError")
            return
        }
        let taken: PythonObject = try take(Exporter(view), library)
        let layout = try ArrayLayout(shape: [4], strides: [stride])
        let seen: String = try describe(taken)
        #expect(seen == Self.describe("float64", layout, at: buffer.address + start * MemoryLayout<Double>.stride))
        let elements: [Double] = try values(taken)
        #expect(elements == Array(view))
    }

    @Test(arguments: try libraries())
    func `part of a buffer arrives where it starts, one element and none as well`(library: String) throws {
        let buffer = try Self.writable((0..<12).map { Float($0) })
        for part in [buffer.extracting(3..<8), buffer.extracting(5..<6), buffer.extracting(2..<2)] {
            let taken: PythonObject = try take(Exporter(part), library)
            let seen: String = try describe(taken)
            #expect(seen.hasPrefix("float32 [\(part.count)] by [1] at "))
            if part.count > 0 { #expect(seen == Self.describe("float32", count: part.count, at: part.address)) }
            let elements: [Float] = try values(taken)
            #expect(elements == Array(part))
        }
        let none: PythonObject = try take(Exporter(try SharedBuffer<Int>(capacity: 0)), library)
        let elements: [Int] = try values(none)
        #expect(elements.isEmpty)
    }

    @Test func `a wish for another type of Arrow's is not followed`() throws {
        let type: String = try Self.fixture("take_with_wish")(Exporter(Self.writable([1.5])), "float32")
        #expect(type == "double")
    }

    // MARK: - Reading and writing

    @Test func `numpy learns whether it may write`() throws {
        let isWritable = try Self.fixture("is_writable")
        let takesReadOnly: Bool = try Self.fixture("takes_read_only")("numpy")
        let output = try SharedBuffer<Double>(capacity: 3)
        #expect(try isWritable(Exporter(output)) as Bool == takesReadOnly)  // older numpy writes to no tensor
        let inputs = [
            Exporter(output.readOnly), Exporter(SharedBuffer(sharing: [1.0])), Exporter(StridedView(output)),
            Exporter(try SharedArray(output, shape: [3]).readOnly),
        ]
        for input in inputs where takesReadOnly {
            #expect(try !(isWritable(input) as Bool))
            let refusal = thrown { try Self.fixture("set_first")(input, "numpy", 9.0) }
            #expect(refusal?.exception?.type == "ValueError")
        }
    }

    @Test(arguments: try tensorLibraries())
    func `what is written to a tensor is in Swift's memory`(library: String) throws {
        let takesVersions: Bool = try Self.fixture("takes_read_only")(library)
        guard takesVersions || library != "numpy" else { return }  // older numpy writes to no tensor
        let set = try Self.fixture("set_first")
        let buffer = try SharedBuffer<Double>(capacity: 3)
        try set(Exporter(buffer), library, 2.5)
        #expect(Array(buffer) == [2.5, 0, 0])
        let array = try SharedArray(buffer, shape: [3]).reversed(along: 0)
        if library == "numpy" {
            try set(Exporter(array), library, 7.5)
            #expect(Array(buffer) == [2.5, 0, 7.5])
        }
    }

    @Test(arguments: ["pyarrow", "polars"], [true, false])
    func `Arrow's arrays do not write to Swift's memory`(library: String, isWritable: Bool) throws {
        let buffer = try Self.writable([1.0, 2, 3])
        try Self.fixture("tamper")(Exporter(isWritable ? buffer : buffer.readOnly), library)
        #expect(Array(buffer) == [1, 2, 3])
    }

    // MARK: - How a tensor is asked for

    /// The arguments, and what comes of them for memory that may be written to: the capsule's name or the exception's.
    static let requests = [
        "": "dltensor", "stream=None": "dltensor", "stream=1": "BufferError", "stream=-1": "BufferError",
        "dl_device=None": "dltensor", "dl_device=(1, 0)": "dltensor", "dl_device=(2, 0)": "BufferError",
        "dl_device=(1, 1)": "BufferError", "dl_device=(1,)": "TypeError", "dl_device=('cpu', 0)": "TypeError",
        "dl_device=5": "TypeError", "dl_device=[1, 0]": "TypeError",
        "copy=None": "dltensor", "copy=False": "dltensor", "copy=True": "BufferError",
        "max_version=None": "dltensor", "max_version=(0, 8)": "dltensor", "max_version=(1, 0)": "dltensor_versioned",
        "max_version=(1, 7)": "dltensor_versioned", "max_version=(2, 0)": "dltensor_versioned",
        "max_version=1": "TypeError", "max_version=[1, 0]": "TypeError",
        "max_version=(1, 0, 0)": "TypeError", "max_version=('1', '0')": "TypeError",
        "max_version=(1 << 80, 0)": "OverflowError",
        "stream=None, max_version=(1, 0), dl_device=(1, 0), copy=False": "dltensor_versioned",
        "max_version=(1, 0), copy=True": "BufferError", "None": "TypeError", "version=1": "TypeError",
    ]

    @Test(arguments: requests.keys.sorted(), [true, false])
    func `a tensor is given as it is asked for`(arguments: String, isWritable: Bool) throws {
        let buffer = try SharedBuffer<Double>(capacity: 2)
        let exporter = Exporter(isWritable ? buffer : buffer.readOnly)
        let expected = try #require(Self.requests[arguments])
        let request = try Self.fixture("request")
        if expected.hasSuffix("Error") || (!isWritable && expected == "dltensor") {
            let refusal = thrown { let _: String = try request(exporter, arguments) }?.exception
            #expect(refusal?.type == (expected.hasSuffix("Error") ? expected : "BufferError"))
        } else {
            #expect(try request(exporter, arguments) as String == expected)
        }
    }

    @Test func `a tensor is on the CPU`() throws {
        #expect(try Self.fixture("device")(Exporter(try SharedBuffer<Int8>(capacity: 0))) as [Int] == [1, 0])
    }

    // MARK: - Threads and misuse

    @Test(arguments: try libraries())
    func `threads of Python and of Swift take memory`(library: String) throws {
        let buffer = try Self.writable((0..<1000).map { Double($0) })
        let sums: [Double] = try Self.fixture("sums_on_threads")(Exporter(buffer), library)
        #expect(sums == [499_500, 499_500, 499_500, 499_500])
        let (take, values) = (take, values)
        try onNewThreads(4) { _ in
            let array: PythonObject = try take(Exporter(buffer), library)
            let elements: [Double] = try values(array)
            #expect(elements == Array(buffer))
        }
    }

    @Test(arguments: try libraries())
    func `what was taken once cannot be taken again, and stays`(library: String) throws {
        #expect(try Self.fixture("take_twice")(Exporter(Self.writable([1.0, 2])), library) as Bool)
    }
}
