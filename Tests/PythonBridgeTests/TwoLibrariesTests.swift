import FoundationEssentials
import Glibc
import PythonBridge
import Subprocess
import Testing

/// A program and a library that it loads, each with a copy of the bridge of its own.
@Suite struct TwoLibrariesTests {
    @Test(.timeLimit(.minutes(15)))
    func `two copies of the bridge use one Python, and stop one after the other`() async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/library-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let library = directory + "/libsecond.so"
        try await build(library, from: Self.source, in: directory)
        await #expect(processExitsWith: .success) { [library = library as String] in
            guard let handle = unsafe dlopen(library, RTLD_NOW | RTLD_LOCAL),
                let symbol = unsafe dlsym(handle, "second_run")
            else { preconditionFailure("the library cannot be loaded") }
            typealias Run = @convention(c) (_ stops: Bool) -> Bool
            let second = unsafe unsafeBitCast(symbol, to: Run.self)

            let python = try TestPython.start()
            let sum = try python.function("sum", in: "builtins")
            let check = { @Sendable in
                for index in 0..<500 {
                    let total: Int = try sum(.lending([index, 1]))
                    #expect(total == index + 1)
                }
            }
            try onNewThreads(8) { index in
                if index.isMultiple(of: 2) { try check() } else { #expect(second(false)) }
            }
            #expect(second(true))
            try check()
            #expect(second(false))
            try python.stop()
            #expect(!PythonInterpreter.isRunning)
        }
    }

    /// Links a library of the source and of the objects that this test was linked with.
    private func build(_ library: String, from source: String, in directory: String) async throws {
        try source.write(toFile: directory + "/second.swift", atomically: true, encoding: .utf8)
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let build = executable.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
        let objects = try ["PythonBridge", "CShim"].flatMap { module in
            try FileManager.default.contentsOfDirectory(atPath: "\(build)/\(module).build")
                .filter { $0.hasSuffix(".o") }.map { "\(build)/\(module).build/\($0)" }
        }
        let result = try await Subprocess.run(
            .name("swiftc"),
            arguments: .init(
                [
                    "-emit-library", "-module-name", "second", "-parse-as-library", "-swift-version", "6",
                    "-enable-experimental-feature", "Lifetimes", "-module-cache-path", build + "/ModuleCache",
                    "-I", build + "/Modules", "-I", TestPython.repository + "/CShim/include",
                    "-Xcc", "-fmodule-map-file=\(build)/CShim.build/module.modulemap",
                    // The library calls its own copy, whatever the program has.
                    "-Xlinker", "-Bsymbolic", "-o", library, directory + "/second.swift",
                    try #require(PythonInterpreter.libraryPath),
                ] + objects),
            output: .discarded, error: .string(limit: 1 << 20))
        #expect(result.terminationStatus.isSuccess, "\(result.standardError)")
    }

    private static let source = """
        import PythonBridge

        @_cdecl("second_run") public func run(_ stops: Bool) -> Bool {
            do {
                let python = try PythonInterpreter.start()
                let sum = try python.function("sum", in: "builtins")
                let apply: PythonObject = try python.evaluate("lambda function, number: function(number)")
                let call = try apply.function("__call__")
                for index in 0..<200 {
                    let total: Int = try sum(.lending([index, 1]))
                    let next: Int = try call(PythonCallback { (number: Int) in number + 1 }, index)
                    guard total == index + 1, next == index + 1 else { return false }
                }
                if stops { try python.stop() }
                return true
            } catch {
                return false
            }
        }
        """
}
