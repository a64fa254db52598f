import Glibc
import PythonBridge
import Testing

extension TestPython {
    /// A function of `Tests/Fixtures/memory.py`, which is imported rather than run so that tests can share it.
    static func memory(_ function: String) throws(PythonError) -> PythonFunction {
        try fixture(function, in: "memory")
    }

    static func fixture(_ function: String, in module: String) throws(PythonError) -> PythonFunction {
        try start().function(function, in: "Tests.Fixtures.\(module)")
    }

    static let fixtures = repository + "/Tests/Fixtures"
}

/// An element type whose values the tests can make and compare on both sides.
protocol TestElement: BufferElement, PythonConvertible, PythonResult, Equatable {
    static var samples: [Self] { get }
    static var dtype: String { get }
}

extension FixedWidthInteger where Self: TestElement {
    static var samples: [Self] { [.min, .max, 0, 1, 77, .min, .max] }
    static var dtype: String { (isSigned ? "int" : "uint") + "\(bitWidth)" }
}

extension Int: TestElement {}
extension Int64: TestElement {}
extension Int32: TestElement {}
extension Int16: TestElement {}
extension Int8: TestElement {}
extension UInt: TestElement {}
extension UInt64: TestElement {}
extension UInt32: TestElement {}
extension UInt16: TestElement {}
extension UInt8: TestElement {}

extension Double: TestElement {
    static var samples: [Double] { [0, -1, .pi, .infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0] }
    static var dtype: String { "float64" }
}

extension Float: TestElement {
    static var samples: [Float] { [0, -1, .pi, .infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0] }
    static var dtype: String { "float32" }
}

extension Float16: TestElement {
    static var samples: [Float16] { [0, -1, .pi, .infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0] }
    static var dtype: String { "float16" }
}

protocol AnyComplex {}
extension Complex: AnyComplex {}

extension Complex: TestElement where Part: TestElement {
    static var samples: [Complex] { zip(Part.samples, Part.samples.reversed()).map { Complex($0, $1) } }
    static var dtype: String { MemoryLayout<Part>.size == 8 ? "complex128" : "complex64" }
}

extension Bool: TestElement {
    static var samples: [Bool] { [false, true, true, false, true, false, false] }
    static var dtype: String { "bool" }
}

let elementTypes: [any TestElement.Type] = [
    Double.self, Float.self, Bool.self, Int.self, Int64.self, Int32.self, Int16.self, Int8.self,
    UInt.self, UInt64.self, UInt32.self, UInt16.self, UInt8.self, Float16.self, Complex<Double>.self,
    Complex<Float>.self,
]

extension SharedBuffer {
    var address: Int { unsafe withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } }
}

extension Array {
    var address: Int { unsafe withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } }
}

extension PythonError {
    var exception: PythonException? {
        switch self {
        case .exception(let exception): exception
        case .escape(let escape): escape.exception
        default: nil
        }
    }

    var escape: PythonEscape? {
        if case .escape(let escape) = self { escape } else { nil }
    }

    var isConversion: Bool {
        if case .conversion = self { true } else { false }
    }

    var isNotRunning: Bool {
        if case .notRunning = self { true } else { false }
    }
}

/// The error of the bridge that `body` throws, or nil; any other error is an issue.
func thrown(_ body: () throws -> Void) -> PythonError? {
    do {
        try body()
    } catch let error as PythonError {
        return error
    } catch {
        Issue.record(error)
    }
    return nil
}

/// A new folder that is removed when `body` returns.
func withTemporaryDirectory<R>(
    in parent: String = "/tmp", named name: String = "files", _ body: (TemporaryDirectory) throws -> R
) throws -> R {
    var template = Array("\(parent)/python-bridge-XXXXXX".utf8CString)
    guard let made = unsafe mkdtemp(&template) else { preconditionFailure("cannot make a temporary folder") }
    let root = unsafe String(cString: made)
    defer { removeAll(root) }
    let folder = TemporaryDirectory(path: root + "/" + name)
    makeDirectory(folder.path)
    return try body(folder)
}

struct TemporaryDirectory: Sendable {
    let path: String

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ text: String, to name: String) -> String {
        let file = path + "/" + name
        writeFile(Array(text.utf8), to: file)
        return file
    }

    /// Makes a folder within and returns its path.
    @discardableResult
    func makeFolder(_ name: String) -> String {
        var folder = path
        for part in name.split(separator: "/") {
            folder += "/" + part
            _ = unsafe mkdir(folder, 0o755)
        }
        return folder
    }
}

private func removeAll(_ path: String) {
    if unsafe unlink(path) == 0 { return }
    guard let folder = unsafe opendir(path) else { return }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
        names.append(
            unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            })
    }
    unsafe closedir(folder)
    for name in names where name != "." && name != ".." { removeAll(path + "/" + name) }
    unsafe rmdir(path)
}

func makeDirectory(_ path: String) {
    guard unsafe mkdir(path, 0o755) == 0 else { preconditionFailure("cannot make \(path)") }
}

func writeFile(_ bytes: [UInt8], to path: String) {
    guard let file = unsafe fopen(path, "we") else { preconditionFailure("cannot write \(path)") }
    unsafe fwrite(bytes, 1, bytes.count, file)
    unsafe fclose(file)
}

/// The bytes of this process that are in memory, as proc(5) tells in statm.
func residentBytes() -> Int { memoryBytes(field: 1) }

/// The bytes of address space that this process has.
func virtualBytes() -> Int { memoryBytes(field: 0) }

private func memoryBytes(field: Int) -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "re") else { preconditionFailure("no /proc") }
    defer { unsafe fclose(file) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = unsafe fread(&text, 1, text.count, file)
    let fields = String(decoding: text[..<count], as: UTF8.self).split(separator: " ")
    return (Int(fields[field]) ?? 0) * 4096
}

/// How many descriptors this process has open.
func openDescriptors() -> Int { entries(of: "/proc/self/fd") }

/// How many entries a folder has, `.` and `..` included.
func entries(of path: String) -> Int {
    guard let folder = unsafe opendir(path) else { preconditionFailure("no \(path)") }
    defer { unsafe closedir(folder) }
    var count = 0
    while unsafe readdir(folder) != nil { count += 1 }
    return count
}

/// Has LeakSanitizer, where it runs, look for leaks now rather than when the process ends.
func checkForLeaks() { callLeakSanitizer("__lsan_do_leak_check") }

/// Has LeakSanitizer, where it runs, leave out what this thread allocates from here on.
func leaveOutOfLeaks() { callLeakSanitizer("__lsan_disable") }

/// Calls a function of LeakSanitizer, if this process has it. Source: `lsan_interface.h`.
private func callLeakSanitizer(_ name: String) {
    typealias Function = @convention(c) () -> Void
    guard let function = unsafe dlsym(nil, name) else { return }
    unsafe unsafeBitCast(function, to: Function.self)()
}

/// What threads run, and what came of it.
@safe
private final class Work: @unchecked Sendable {
    let body: @Sendable (Int) throws -> Void
    let index: Int
    var failure: (any Error)?

    init(_ index: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
        self.index = index
        self.body = body
    }
}

/// Runs `body` on `count` new OS threads at once, which have all ended when this returns.
func onNewThreads(_ count: Int = 1, _ body: @escaping @Sendable (_ index: Int) throws -> Void) throws {
    let works = (0..<count).map { Work($0, body) }
    let threads = works.map { work in
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { raw in
                let work = unsafe Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue()
                do { try work.body(work.index) } catch { work.failure = error }
                return nil
            }, Unmanaged.passRetained(work).toOpaque())
        precondition(status == 0)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    for work in works { if let failure = work.failure { throw failure } }
}

/// Starts an OS thread that nobody waits for.
func startThread(_ body: @escaping @Sendable () throws -> Void) {
    var thread = pthread_t()
    let work = Work(0) { _ in try body() }
    let status = unsafe pthread_create(
        &thread, nil,
        { raw in
            let work = unsafe Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue()
            try? work.body(0)
            return nil
        }, Unmanaged.passRetained(work).toOpaque())
    precondition(status == 0)
    pthread_detach(thread)
}

/// A count that any thread may change.
final class Counter: Sendable {
    private let count = Lock(0)

    var value: Int { count.withLock { $0 } }

    func add(_ amount: Int) { count.withLock { $0 += amount } }

    func raise(to value: Int) { count.withLock { $0 = max($0, value) } }
}

/// Lets others run for a moment.
func sleepBriefly() {
    usleep(1000)
}

extension PythonLease {
    /// Whether it ends within ten seconds: another test may hold all of Python's objects for a moment (gc.get_objects).
    var ends: Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while !hasEnded && ContinuousClock.now < deadline { sleepBriefly() }
        return hasEnded
    }
}
