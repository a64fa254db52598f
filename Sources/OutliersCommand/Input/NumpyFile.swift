import Outliers
import PythonBridge

/// A `.npy` file used where it is mapped: the header is read, the data is not.
///
/// Source: numpy.lib.format, versions 1.0 to 3.0.
struct NumpyFile {
    private let file: InputFile
    private let header: NumpyHeader

    init(_ file: InputFile) throws(Failure) {
        self.file = file
        do throws(NumpyHeader.Problem) {
            header = try NumpyHeader(file.bytes)
        } catch {
            throw Failure(.badData, "\(file.name): \(error.message)")
        }
    }

    func load(column: String?) throws(Failure) -> LoadedSamples {
        let rows: Int
        let columns: Int
        switch header.shape.count {
        case 1: (rows, columns) = (header.shape[0], 1)
        case 2: (rows, columns) = (header.shape[0], header.shape[1])
        default:
            throw Failure(.badData, "\(file.name): it has \(header.shape.count) dimensions; one or two can be read")
        }
        let choice = ColumnChoice(count: columns)
        let index = try choice.index(of: column, in: file)
        let start = header.isFortranOrder ? index * rows : index
        let stride = header.isFortranOrder ? 1 : columns
        do throws(PythonError) {
            let series = try series(from: start, by: stride, count: rows)
            return LoadedSamples(series: series) { row in
                columns == 1 ? "sample \(row)" : "row \(row), column \(choice.name(index))"
            }
        } catch {
            throw Failure(.badData, "\(file.name): \(error)")
        }
    }

    private func series(from start: Int, by stride: Int, count: Int) throws(PythonError) -> any SampleSeries {
        func view<Element: SampleElement>(_ type: Element.Type) throws(PythonError) -> any SampleSeries {
            let count = header.shape.reduce(1, *)
            let buffer = try SharedBuffer<Element>(
                reinterpreting: file.bytes, byteOffset: header.dataOffset, count: count)
            return try buffer.strided(from: start, by: stride, count: header.shape[0])
        }
        switch header.element {
        case .float64: return try view(Double.self)
        case .float32: return try view(Float.self)
        case .int64: return try view(Int64.self)
        case .int32: return try view(Int32.self)
        case .int16: return try view(Int16.self)
        case .int8: return try view(Int8.self)
        case .uint64: return try view(UInt64.self)
        case .uint32: return try view(UInt32.self)
        case .uint16: return try view(UInt16.self)
        case .uint8: return try view(UInt8.self)
        }
    }
}

/// What the start of a `.npy` file says.
struct NumpyHeader {
    enum Element: String {
        case float64 = "f8"
        case float32 = "f4"
        case int64 = "i8"
        case int32 = "i4"
        case int16 = "i2"
        case int8 = "i1"
        case uint64 = "u8"
        case uint32 = "u4"
        case uint16 = "u2"
        case uint8 = "u1"

        var size: Int { Int(rawValue.dropFirst()) ?? 0 }
    }

    /// Source: numpy.lib.format, `max_header_size`.
    private static let longestText = 10_000

    struct Problem: Error {
        let message: String
    }

    let element: Element
    let isFortranOrder: Bool
    let shape: [Int]
    /// Where the data starts.
    let dataOffset: Int

    /// - Throws: ``Problem`` when the bytes are no `.npy`, are fewer than the header promises, or are of another element type.
    init(_ bytes: SharedBuffer<UInt8>) throws(Problem) {
        let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
        guard bytes.starts(with: magic) else { throw Problem(message: "it is not a .npy file") }
        guard bytes.count >= 12 else { throw Problem(message: "it is truncated: the header is not complete") }
        let version = bytes[6]
        guard (1...3).contains(version), bytes[7] == 0 else {
            throw Problem(message: "it is of version \(version).\(bytes[7]) of .npy, which is unknown")
        }
        let lengthSize = version == 1 ? 2 : 4
        let length = (0..<lengthSize).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        dataOffset = 8 + lengthSize + length
        guard dataOffset <= bytes.count else { throw Problem(message: "it is truncated: the header is not complete") }
        guard length <= Self.longestText else {
            throw Problem(
                message: "its header of \(length) bytes is longer than the \(Self.longestText) that numpy reads")
        }

        let text = String(decoding: bytes.extracting(8 + lengthSize..<dataOffset), as: UTF8.self)
        guard let entries = PythonLiteral.dictionary(text, allowsLongIntegers: version < 3), entries.count == 3,
            let isFortranOrder = entries["fortran_order"]?.bool, let shape = entries["shape"]?.integers,
            let descriptor = entries["descr"]
        else { throw Problem(message: "its header is not one that numpy writes") }
        self.isFortranOrder = isFortranOrder
        self.shape = shape
        element = try Self.element(descriptor)
        try checkSize(bytes.count - dataOffset)
    }

    private func checkSize(_ available: Int) throws(Problem) {
        var size = element.size
        for length in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: length)
            guard !overflow else { throw Problem(message: "its header promises more data than there can be") }
            size = product
        }
        guard size <= available else {
            throw Problem(message: "it is truncated: the header promises \(size) bytes of data, there are \(available)")
        }
    }

    private static func element(_ descriptor: PythonLiteral) throws(Problem) -> Element {
        guard let text = descriptor.string else {
            throw Problem(message: "it holds records of several fields; save one field as a plain array")
        }
        let type = text.first.map { "<>|=".contains($0) } == true ? text.dropFirst() : text[...]
        let isForeign = text.hasPrefix(">") && type.last != "1"
        if let element = Element(rawValue: String(type)) {
            guard !isForeign else {
                throw Problem(message: "it is of foreign byte order ('\(text)'); save it with .astype('=\(type)')")
            }
            return element
        }
        let names: [Character: String] = [
            "O": "Python objects (pickled)", "c": "complex numbers", "U": "text", "S": "text", "a": "text",
            "b": "booleans",
            "f": "floating-point numbers of an unusual width", "M": "dates", "m": "time differences", "V": "raw bytes",
        ]
        let name = type.first.flatMap { names[$0] } ?? "elements of an unknown type"
        throw Problem(message: "it holds \(name) ('\(text)'); floats of 32 or 64 bits and integers can be read")
    }
}
