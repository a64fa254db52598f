import PythonBridge
import Testing

@testable import PythonWorkers

struct PythonExecutableTests {
    @Test
    func `a program is found by its name or its path`() throws {
        #expect(try PythonExecutable.program("sh").locate().hasSuffix("/sh"))
        #expect(try PythonExecutable.program("/bin/sh").locate() == "/bin/sh")
    }

    @Test(arguments: [
        (PythonExecutable.program("no-such-python"), "'no-such-python' is not found in PATH"),
        (.program("/no/such/python"), "'/no/such/python' is no program that can be run"),
        (.virtualEnvironment("/no/such"), "the environment '/no/such' (chosen) is not a directory"),
    ])
    func `what is not there is refused by name`(python: PythonExecutable, message: String) {
        #expect(throws: PythonError.self) { try python.locate() }
        do {
            _ = try python.locate()
        } catch {
            #expect("\(error)" == message)
        }
    }
}
