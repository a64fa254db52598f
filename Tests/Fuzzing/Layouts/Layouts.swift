import Glibc
import PythonBridge

/// Compares layouts of the bridge with numpy: random descriptors that are asked of both, and random arrays of numpy's read here.
///
/// Arguments: how many descriptors, and after how many seconds to stop all the same. `FUZZ_SEED` repeats a run.
@main
struct Layouts {
    /// Descriptors that are answered by one call.
    static let batch = 4000
    /// One of so many is also passed to Python and read back.
    static let sample = 10

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard arguments.count == 2 else {
            print("Layouts COUNT SECONDS")
            exit(64)
        }
        let given = unsafe getenv("FUZZ_SEED").flatMap { unsafe UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 0...999_999_999)
        print("layouts: FUZZ_SEED=\(seed)")
        let start = ContinuousClock.now
        let repository = #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 }
        let python = try PythonInterpreter.start(PythonConfiguration(searchPaths: [repository]))
        let numpy = try Numpy(python)
        var random = SeededGenerator(seed: seed)
        var counts = Counts()
        do {
            while counts.descriptors < arguments[0], start.duration(to: .now) < .seconds(arguments[1]) {
                func run<E: FuzzElement>(_: E.Type) throws {
                    try DescriptorRound<E>(numpy, using: &random).run(counts: &counts, using: &random)
                }
                let type = random.element(of: elementTypes)
                try run(type)
                try ArrayRound(numpy, using: &random).run(count: batch / 50, counts: &counts, using: &random)
            }
        } catch let difference as Difference {
            print("layouts: \(difference)\nlayouts: seen with FUZZ_SEED=\(seed)")
            exit(1)
        } catch PythonError.exception(let exception) {
            print("layouts: \(exception.traceback)\nlayouts: seen with FUZZ_SEED=\(seed)")
            exit(1)
        }
        print("layouts: \(counts), in \(start.duration(to: .now))")
    }
}

/// Something that the bridge and numpy do not agree on.
struct Difference: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What was compared, to be seen not to be void.
struct Counts: CustomStringConvertible {
    var descriptors = 0
    var accepted = 0
    var listed = 0
    var passed = 0
    var arrays = 0
    var read = 0

    var description: String {
        """
        \(descriptors) descriptors, \(accepted) of them arrays, \(listed) compared by element, \(passed) passed to Python and back; \
        \(arrays) arrays of numpy, \(read) readings
        """
    }
}

/// The functions of `Tests/Fixtures/layouts.py`.
struct Numpy {
    let answer: PythonFunction
    let differences: PythonFunction
    let echo: PythonFunction
    let makeArrays: PythonFunction
    let array: PythonFunction
    let describe: PythonFunction
    let differs: PythonFunction

    init(_ python: PythonInterpreter) throws(PythonError) {
        let module = "Tests.Fixtures.layouts"
        answer = try python.function("answer", in: module)
        differences = try python.function("differences", in: module)
        echo = try python.function("echo", in: module)
        makeArrays = try python.function("make_arrays", in: module)
        array = try python.function("array", in: module)
        describe = try python.function("describe", in: module)
        differs = try python.function("differs", in: module)
    }
}
