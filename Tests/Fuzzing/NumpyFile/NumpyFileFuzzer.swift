import Glibc
import Outliers
import PythonBridge

/// The `.npy` reader of the program beside numpy's, for libFuzzer, which stops at a difference, a trap and a hang.
@safe
private final class Fuzzer: Sendable {
    static let shared = Fuzzer()

    private let judge: PythonFunction
    private let column: PythonFunction
    private let path = "/tmp/numpy-file-fuzzer-\(getpid()).npy"

    private init() {
        let repository = #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 }
        do {
            let python = try PythonInterpreter.start(PythonConfiguration(searchPaths: [repository]))
            judge = try python.function("judge", in: "Tests.Fixtures.npy")
            column = try python.function("column", in: "Tests.Fixtures.npy")
        } catch {
            fatalError("\(error)")
        }
    }

    func run(_ bytes: [UInt8]) throws {
        let memory = SharedBuffer(sharing: bytes)
        switch Result(catching: { () throws(NumpyHeader.Problem) in try NumpyHeader(memory) }) {
        case .failure(let problem):
            let complaint: String = try judge(memory, path, problem.message, "", [Int]())
            if !complaint.isEmpty { throw Difference("\(complaint); refused here: \(problem.message)") }
        case .success(let header):
            try write(bytes)
            defer { unsafe unlink(path) }
            let numbers = [header.dataOffset, header.isFortranOrder ? 1 : 0] + header.shape
            let complaint: String = try judge(memory, path, "", header.element.rawValue, numbers)
            if !complaint.isEmpty { throw Difference("\(complaint); accepted here") }
            try load(header)
        }
    }

    /// Reads the last column by way of the mapped file, as the program does.
    private func load(_ header: NumpyHeader) throws {
        let isTable = header.shape.count == 1 || header.shape.count == 2 && header.shape[1] > 0
        let isAligned = header.dataOffset.isMultiple(of: header.element.size)
        let result = Result { () throws(Failure) in
            try NumpyFile(InputFile(path)).load(column: header.shape.count == 2 ? "\(header.shape[1])" : "1")
        }
        switch result {
        case .failure(let failure):
            if isTable && isAligned { throw Difference("not loaded: \(failure.message)") }
        case .success(let samples):
            guard isTable, isAligned else { throw Difference("loaded, with the shape \(header.shape)") }
            let series = samples.series
            guard series.count == header.shape[0] else { throw Difference("\(series.count) samples") }
            if series.count == 0 { return }
            let expected: [Int] = try column(path)
            let values = (0..<series.count).map { Int(bitPattern: UInt(series.value(at: $0).bitPattern)) }
            if values != expected { throw Difference("the elements are \(values), not \(expected)") }
        }
    }

    private func write(_ bytes: [UInt8]) throws {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(file) }
        guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else { throw Difference("\(path): \(errno)") }
    }
}

/// Something that the reader and numpy do not agree on.
private struct Difference: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Reads one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNumpyFile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do {
        try Fuzzer.shared.run(bytes)
    } catch {
        fatalError("\(error): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
    }
    return 0
}
