import FoundationEssentials
import PythonBridge
import Subprocess
import Testing

/// What the compiler refuses, so that nothing safe can leave a dangling pointer, and what it accepts right beside it.
@Suite struct CompileTests {
    @Test(arguments: Variant.all)
    func `the compiler refuses a variant for its own reason, and accepts its neighbour`(_ variant: Variant) async throws
    {
        let refusal = try await diagnose(variant.program(with: variant.refused))
        #expect(refusal.contains { $0.contains(variant.error) }, "\(refusal)")
        #expect(refusal.allSatisfy { $0.hasPrefix("\(variant.refusedLine): ") }, "\(refusal)")
        let acceptance = try await diagnose(variant.program(with: variant.accepted))
        #expect(acceptance == [])
    }

    /// The compiler's errors, each as its line's number and its text. The module is the one that this test was linked with.
    private func diagnose(_ program: String) async throws -> [String] {
        let directory = FileManager.default.temporaryDirectory.path + "/compile-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try program.write(toFile: directory + "/user.swift", atomically: true, encoding: .utf8)
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let build = executable.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
        // Lifetimes are checked on SIL, which -typecheck does not make.
        let result = try await Subprocess.run(
            .name("swiftc"),
            arguments: [
                "-emit-sil", "-o", "/dev/null", "-parse-as-library", "-swift-version", "6", "-strict-memory-safety",
                "-Werror", "StrictMemorySafety", "-diagnostic-style", "llvm", "-no-color-diagnostics",
                "-module-cache-path", build + "/ModuleCache", "-I", build + "/Modules",
                "-Xcc", "-fmodule-map-file=\(build)/CShim.build/module.modulemap", directory + "/user.swift",
            ],
            output: .discarded, error: .string(limit: 1 << 20))
        let errors = result.standardError.split(separator: "\n").filter { $0.contains("error: ") }
        #expect(result.terminationStatus.isSuccess == errors.isEmpty, "\(result.standardError)")
        return errors.map { error in
            let place = error.split(separator: ":", maxSplits: 3)
            return place.count == 4 ? "\(place[1]):\(place[3])" : String(error)
        }
    }
}

/// A program, of which two variants differ in a line or two.
struct Variant: CustomTestStringConvertible {
    let testDescription: String
    private let body: String
    /// What stands in the body in the place of "HERE". The compiler's error is at the line that ends with "// error".
    let refused: String
    let accepted: String
    /// Part of the compiler's message.
    let error: String

    private init(_ description: String, _ body: String, refused: String, accepted: String, error: String) {
        testDescription = description
        self.body = body
        self.refused = refused
        self.accepted = accepted
        self.error = error
    }

    func program(with variant: String) -> String {
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasSuffix("HERE") ? String(line.dropLast(4)) + variant : String(line)
        }
        return "import PythonBridge\n" + lines.joined(separator: "\n") + "\n"
    }

    /// The number, counted from 1, of the line where the error is.
    var refusedLine: Int {
        let lines = program(with: refused).split(separator: "\n", omittingEmptySubsequences: false)
        return 1 + (lines.firstIndex { $0.hasSuffix("// error") } ?? -1)
    }

    static let all = elements + leaving + exclusive + copying + spans + sending + unsafeEntries
}

extension Variant {
    private static let exclusivity = "overlapping accesses to"
    private static let lifetime = "escapes its scope"
    private static let marking = "expression uses unsafe constructs but is not marked with 'unsafe'"

    /// An element of which not every byte is a value would be one that Python can spoil.
    private static let elements = [
        Variant(
            "an enumeration as an element, with a format of its own",
            "HERE",
            refused: "func format<E>(_: E.Type) -> ElementFormat<E> { ElementFormat(\"B\") } // error",
            accepted: "func format<E: BufferElement>(_: E.Type) -> ElementFormat<E> { E.bufferFormat }",
            error: "initializer is inaccessible due to 'internal' protection level"),
        Variant(
            "an enumeration as an element, with a number's format",
            """
            enum Colour: UInt8 { case red, green }
            HERE
            """,
            refused: "func format() -> ElementFormat<Colour> { UInt8.bufferFormat } // error",
            accepted: "func format() -> ElementFormat<UInt8> { UInt8.bufferFormat }",
            error: "cannot convert return expression of type 'ElementFormat<UInt8>' to return type"),
    ]

    /// What is lent stays in the function that lends it.
    private static let leaving = [
        Variant(
            "a lent array that is returned",
            """
            HERE
            """,
            refused: "func make(_ array: [Int]) -> Lent<Int> { .lending(array) } // error",
            accepted: "func make(_ array: [Int]) -> SharedBuffer<Int> { SharedBuffer(sharing: array) }",
            error: "a function cannot return a ~Escapable result"),
        Variant(
            "a lent array as a stored property",
            """
            struct Holder: ~Copyable {
                HERE
            }
            """,
            refused: "let lent: Lent<Int> // error",
            accepted: "let shared: SharedBuffer<Int>",
            error: "stored property 'lent' of 'Escapable'-conforming struct 'Holder' has non-Escapable type 'Lent<Int>'"
        ),
        Variant(
            "a lent layout as a stored property",
            """
            struct Holder: ~Copyable {
                HERE
            }
            """,
            refused: "let lent: LentArray<Int> // error",
            accepted: "let shared: SharedArray<Int>",
            error: "has non-Escapable type 'LentArray<Int>'"),
        Variant(
            "an array lent with & in a closure that is returned",
            """
            func make(_ function: PythonFunction) -> () -> Void {
                var array = [1]
                HERE
                return { try? function(lent) }
            }
            """,
            refused: "let lent: Lent<Int> = .lending(&array) // error",
            accepted: "array.append(2); let lent: Lent<Int> = .lending(array)",
            error: lifetime),
        Variant(
            "an array lent with & out of an object",
            """
            final class Owner { var array = [1] }
            func call(_ function: PythonFunction, _ owner: Owner) throws {
                HERE
            }
            """,
            refused: "try function(.lending(&owner.array)) // error",
            accepted: "var array = owner.array; try function(.lending(&array))",
            error: lifetime),
    ]

    /// What is lent to be written to is used by nobody else meanwhile.
    private static let exclusive = [
        exclusive("an array that is read while it is lent with &", refused: "print(array)", accepted: "print(other)"),
        exclusive("an array that is changed", refused: "array[0] = 1", accepted: "other[0] = 1"),
        exclusive("an array that is replaced", refused: "array = []", accepted: "other = []"),
        exclusive("an array that is changed by a closure", refused: "change()", accepted: "print(1)"),
        exclusive(
            "an array lent again with &", refused: "try function(.lending(&array))", accepted: "try function(lent)"),
        exclusive("an array lent again", refused: "try function(.lending(array))", accepted: "try function(lent)"),
        pair("an array lent twice with & in one call", ".lending(&array)", ".lending(&other)"),
        pair("an array lent with & and to be read in one call", ".lending(array)", ".lending(other)"),
        pair("an array lent with & and passed in one call", "array", "other"),
        pair("an array lent with & and its count in one call", "array.count", "other.count"),
        pair("an array lent with & and lent with a layout", ".lending(&array, layout)", ".lending(&other, layout)"),
        Variant(
            "an array lent with & and named in the keywords",
            """
            func call(_ function: PythonFunction) throws {
                var array = [1]
                let count = array.count
                HERE
            }
            """,
            refused: "try function(.lending(&array), keywords: [\"count\": array.count]) // error",
            accepted: "try function(.lending(&array), keywords: [\"count\": count])",
            error: exclusivity),
        Variant(
            "a constant lent with &",
            """
            func call(_ function: PythonFunction) throws {
                HERE
                try function(.lending(&array)) // error
            }
            """,
            refused: "let array = [1]",
            accepted: "var array = [1]",
            error: "cannot pass immutable value as inout argument: 'array' is a 'let' constant"),
        Variant(
            "a parameter that is replaced while it is lent with &",
            """
            func call(_ function: PythonFunction, _ array: inout [Int]) throws {
                HERE
                array = []
                try function(lent)
            }
            """,
            refused: "let lent: Lent<Int> = .lending(&array) // error",
            accepted: "let lent: Lent<Int> = .lending(array)",
            error: lifetime),
        Variant(
            "a layout's array that is replaced while it is lent with &",
            """
            func call(_ function: PythonFunction, _ layout: ArrayLayout) throws {
                var array = [1]
                HERE
                array = []
                try function(lent)
            }
            """,
            refused: "let lent: LentArray<Int> = .lending(&array, layout) // error",
            accepted: "let lent: LentArray<Int> = .lending(array, layout)",
            error: exclusivity),
    ]

    /// A statement between an array's lending and the call, after which the array is free again.
    private static func exclusive(_ description: String, refused: String, accepted: String) -> Variant {
        Variant(
            description,
            """
            func call(_ function: PythonFunction) throws {
                var array = [1, 2, 3]
                var other = array
                let change = { array.append(4) }
                let lent: Lent<Int> = .lending(&array) // error
                HERE
                try function(lent)
                array[0] = 2; other[0] = 2; change()
            }
            """,
            refused: refused, accepted: accepted, error: exclusivity)
    }

    /// A second argument beside an array lent with `&`.
    private static func pair(_ description: String, _ refused: String, _ accepted: String) -> Variant {
        Variant(
            description,
            """
            func call(_ function: PythonFunction, _ layout: ArrayLayout) throws {
                var array = [1], other = [2]
                HERE
                array[0] = 2; other[0] = 2
            }
            """,
            refused: "try function(.lending(&array), \(refused)) // error",
            accepted: "try function(.lending(&array), \(accepted))",
            error: exclusivity)
    }

    /// What owns something of Python's is not copied, and not used once it is given away.
    private static let copying = [
        Variant(
            "a copied lend",
            """
            func call(_ function: PythonFunction, _ array: [Int]) throws {
                let lent: Lent<Int> = .lending(array) // error
                HERE
            }
            """,
            refused: "let copy = lent; try function(lent, copy)",
            accepted: "try function(lent, lent)",
            error: "'lent' used after consume"),
        Variant(
            "a copied value",
            """
            struct Celsius: PythonConvertible {
                func pythonValue() throws(PythonError) -> PythonValue {
                    let value = try unsafe 1.5.pythonValue() // error
                    HERE
                }
            }
            """,
            refused: "let copy = value; _ = copy.typeName; return value",
            accepted: "_ = value.typeName; return value",
            error: "'value' consumed more than once"),
        Variant(
            "a value that is used after it was appended",
            """
            struct Celsius: PythonArgument {
                func pass(to call: inout PythonCall) throws(PythonError) {
                    let value = try unsafe 1.5.pythonValue() // error
                    HERE
                }
            }
            """,
            refused: "call.append(value); _ = value.typeName",
            accepted: "_ = value.typeName; call.append(value)",
            error: "'value' used after consume"),
        Variant(
            "a copied call",
            """
            struct Celsius: PythonArgument {
                HERE
                    call.append(try unsafe 1.5.pythonValue())
                }
            }
            """,
            refused: "func pass(to call: inout PythonCall) throws(PythonError) { // error\nlet copy = call; _ = copy",
            accepted: "func pass(to call: inout PythonCall) throws(PythonError) {",
            error: "missing reinitialization of inout parameter 'call' after consume"),
    ]

    /// A span stays within the life of what it is a span of.
    private static let spans = [
        span("SharedBuffer<Int>", "a span of shared memory that is replaced"),
        span("PythonBuffer<Int>", "a span of Python's memory that is replaced"),
        returned("SharedBuffer<Int>", "a returned span of shared memory"),
        returned("PythonBuffer<Int>", "a returned span of Python's memory"),
        consumed("SharedBuffer<Int>", "a span of shared memory that was given up"),
        consumed("PythonBuffer<Int>", "a span of Python's memory that was given up"),
        property("SharedBuffer<Int>", "a span of an object's shared memory"),
        property("PythonBuffer<Int>", "a span of an object's view"),
        Variant(
            "a span as a stored property",
            """
            struct Holder {
                HERE
            }
            """,
            refused: "let memory: Span<Int> // error",
            accepted: "let memory: PythonBuffer<Int>",
            error: "has non-Escapable type 'Span<Int>'"),
        Variant(
            "a span of shared memory of an inner scope",
            """
            func first(_ outer: SharedBuffer<Int>) throws -> Int {
                var span = outer.span // error
                do {
                    let inner = try SharedBuffer<Int>(capacity: 1)
                    HERE
                    _ = inner
                }
                return span[0]
            }
            """,
            refused: "span = inner.span",
            accepted: "span = outer.span",
            error: lifetime),
        Variant(
            "a span that is lent after its array",
            """
            func call(_ function: PythonFunction, _ outer: [Int]) throws {
                var span = outer.span // error
                do {
                    let inner = [Int](repeating: 1, count: 9)
                    HERE
                    _ = inner
                }
                try unsafe function(.lending(unsafe: span))
            }
            """,
            refused: "span = inner.span",
            accepted: "span = outer.span",
            error: lifetime),
        Variant(
            "an array that is changed while its span is lent",
            """
            func call(_ function: PythonFunction) throws {
                var array = [1, 2, 3], other = [1]
                let lent: Lent<Int> = unsafe .lending(unsafe: array.span)
                HERE
                try function(lent)
                array = []; other = []
            }
            """,
            refused: "array.append(4) // error",
            accepted: "other.append(4)",
            error: exclusivity),
        Variant(
            "a mutable span that is used while it is lent",
            """
            func call(_ function: PythonFunction) throws {
                var array = [1, 2, 3]
                var span = array.mutableSpan
                let lent: Lent<Int> = unsafe .lending(unsafe: &span) // error
                HERE
            }
            """,
            refused: "span[0] = 1; try function(lent)",
            accepted: "try function(lent); span[0] = 1",
            error: exclusivity),
        Variant(
            "an array that is lent with & beside its mutable span",
            """
            func call(_ function: PythonFunction) throws {
                var array = [1, 2, 3], other = [1]
                var span = array.mutableSpan // error
                HERE
                other = []
            }
            """,
            refused: "try unsafe function(.lending(unsafe: &span), .lending(&array))",
            accepted: "try unsafe function(.lending(unsafe: &span), .lending(&other))",
            error: exclusivity),
    ]

    private static func span(_ type: String, _ description: String) -> Variant {
        Variant(
            description,
            """
            func second(_ first: \(type), _ other: \(type)) -> Int {
                var buffer = first
                HERE
                return span[1]
            }
            """,
            refused: "let span = buffer.span; buffer = other // error",
            accepted: "buffer = other; let span = buffer.span", error: exclusivity)
    }

    private static func returned(_ type: String, _ description: String) -> Variant {
        Variant(
            description, "HERE",
            refused: "func span(_ buffer: \(type)) -> Span<Int> { buffer.span } // error",
            accepted: "func second(_ buffer: \(type)) -> Int { buffer.span[1] }",
            error: "a function cannot return a ~Escapable result")
    }

    private static func consumed(_ type: String, _ description: String) -> Variant {
        Variant(
            description,
            """
            func second(_ first: \(type)) -> Int {
                let buffer = first, spare = first
                let span = buffer.span // error
                HERE
                return span[1]
            }
            """,
            refused: "_ = consume buffer; _ = spare", accepted: "_ = consume spare", error: lifetime)
    }

    private static func property(_ type: String, _ description: String) -> Variant {
        Variant(
            description,
            """
            final class Owner { var buffer: \(type)
                init(_ buffer: \(type)) { self.buffer = buffer } }
            func second(_ owner: Owner, _ other: \(type)) -> Int {
                let buffer = owner.buffer
                HERE
                owner.buffer = other
                return span[1] + buffer.count
            }
            """,
            refused: "let span = owner.buffer.span // error", accepted: "let span = buffer.span", error: lifetime)
    }

    /// What a task gets is no other's, and lives as long as the task.
    private static let sending = [
        Variant(
            "an array lent with & that a task uses",
            """
            func call(_ function: PythonFunction) {
                var array = [1]
                HERE
                Task { try function(lent) }
            }
            """,
            refused: "let lent: Lent<Int> = .lending(&array) // error",
            accepted: "array.append(2); let lent: Lent<Int> = .lending(array)",
            error: lifetime),
        Variant(
            "an array lent with & that a child task uses",
            """
            func call(_ function: PythonFunction) async throws {
                var array = [1]
                HERE
                async let result: Void = function(lent)
                try await result
            }
            """,
            refused: "let lent: Lent<Int> = .lending(&array) // error",
            accepted: "array.append(2); let lent: Lent<Int> = .lending(array)",
            error: lifetime),
        Variant(
            "a lent array that two tasks use",
            """
            func call(_ function: PythonFunction, _ array: [Int]) throws {
                let lent: Lent<Int> = .lending(array)
                HERE
            }
            """,
            refused: "Task { try function(lent) } // error\ntry function(lent)",
            accepted: "Task { try function(lent) }",
            error: "risks causing data races"),
        Variant(
            "a lent array in a @Sendable closure",
            """
            func run(_ body: @Sendable () throws -> Void) rethrows { try body() }
            func call(_ function: PythonFunction, _ array: [Int]) throws {
                HERE
            }
            """,
            refused: "let lent: Lent<Int> = .lending(array); try run { try function(lent) } // error",
            accepted: "try run { let lent: Lent<Int> = .lending(array); try function(lent) }",
            error: "capture of 'lent' with non-Sendable type 'Lent<Int>' in a '@Sendable' closure"),
        Variant(
            "a span of shared memory that a task uses",
            """
            func first(_ buffer: SharedBuffer<Int>) {
                HERE
            }
            """,
            refused: "let span = buffer.span; Task { print(span[0]) } // error",
            accepted: "Task { let span = buffer.span; print(span[0]) }",
            error: lifetime),
    ]

    /// What nothing checks says so at the call.
    private static let unsafeEntries = [
        entry("raw memory", "_ memory: UnsafeBufferPointer<Int>", "try function(.lending(memory))"),
        entry("raw memory to write to", "_ memory: UnsafeMutableBufferPointer<Int>", "try function(.lending(memory))"),
        entry("raw memory of a layout", "_ memory: UnsafeBufferPointer<Int>", "try function(.lending(memory, layout))"),
        entry(
            "raw memory of a layout to write to", "_ memory: UnsafeMutableBufferPointer<Int>",
            "try function(.lending(memory, layout))"),
        entry("a span", "_ span: Span<Int>", "try function(.lending(unsafe: span))"),
        entry("a mutable span", "_ span: inout MutableSpan<Int>", "try function(.lending(unsafe: &span))"),
        entry("shared memory's address", "_ buffer: SharedBuffer<Int>", "buffer.withUnsafeBufferPointer { _ in }"),
        entry(
            "shared memory's address to write to", "_ buffer: SharedBuffer<Int>",
            "buffer.withUnsafeMutableBufferPointer { _ in }"),
        entry("Python's memory's address", "_ buffer: PythonBuffer<Int>", "buffer.withUnsafeBufferPointer { _ in }"),
        entry("a Python array's address", "_ array: PythonArray<Int>", "array.withUnsafePointer { _ in }"),
        entry(
            "a lent argument in the name of another", "_ lent: borrowing Lent<Int>, _ call: inout PythonCall",
            "try lent.pass(to: &call)"),
        entry(
            "a lent layout in the name of another", "_ lent: borrowing LentArray<Int>, _ call: inout PythonCall",
            "try lent.pass(to: &call)"),
        entry("a value of a thread that may not be attached", "_ number: Double", "_ = try number.pythonValue()"),
        entry(
            "memory as a value of a thread that may not be attached", "_ array: SharedArray<Int>",
            "_ = try array.pythonValue()"),
        entry("an element at an address", "_ address: UnsafeRawPointer", "_ = Int.element(at: address)"),
    ]

    private static func entry(_ description: String, _ parameter: String, _ statement: String) -> Variant {
        let leading = ["_ = try ", "_ = ", "try "].first { statement.hasPrefix($0) } ?? ""
        let marked = leading + "unsafe " + statement.dropFirst(leading.count)
        return Variant(
            description + " without 'unsafe'",
            """
            func call(_ function: PythonFunction, _ layout: ArrayLayout, \(parameter)) throws {
                HERE
            }
            """,
            refused: statement + " // error", accepted: marked, error: marking)
    }
}
