import Glibc
import PythonBridge
import Testing

/// A Python that somebody else has started, each test in a process of its own.
@Suite(.timeLimit(.minutes(15))) struct AdoptionTests {
    /// A function of C that takes what cannot be named here, and returns it.
    static func call(_ name: String, _ argument: Int = 0) -> Int {
        typealias Function = @convention(c) (Int) -> Int
        guard let function = unsafe dlsym(nil, name) else { preconditionFailure("there is no \(name)") }
        return unsafe unsafeBitCast(function, to: Function.self)(argument)
    }

    /// Starts Python as another library would. Returns what its owner needs to end it.
    static func startElsewhere() -> Int {
        alarm(60)
        _ = call("Py_InitializeEx", 0)
        return call("PyEval_SaveThread")
    }

    static func start() throws(PythonError) -> PythonInterpreter {
        try PythonInterpreter.start(PythonConfiguration(searchPaths: [TestPython.repository]))
    }

    static func callInAllWays(_ python: PythonInterpreter) throws {
        let sum = try python.function("sum", in: "builtins")
        let hold = try python.function("hold", in: "Tests.Fixtures.stopping")
        try onNewThreads(4) { index in
            for _ in 0..<50 {
                let lent: Int = try sum(.lending([index, 1]))
                let called: Int = try hold(PythonCallback { try sum(.lending([index, 2])) as Int })
                #expect(called - lent == 1)
            }
        }
    }

    @Test func `a Python that runs already is taken, and goes on after a stop`() async {
        await #expect(processExitsWith: .success) {
            let state = Self.startElsewhere()
            for round in 0..<3 {
                let python = try Self.start()
                try Self.callInAllWays(python)
                try python.run("rounds = globals().get('rounds', 0) + 1")
                let rounds: Int = try python.evaluate("rounds")
                #expect(rounds == round + 1)
                try python.stop()
                #expect(thrown { try python.run("pass") }?.isNotRunning == true)
                #expect(Self.call("Py_IsInitialized") & 0xFFFF_FFFF == 1)
            }
            _ = Self.call("PyEval_RestoreThread", state)
            #expect(Self.call("Py_FinalizeEx") & 0xFFFF_FFFF == 0)
        }
    }

    @Test func `another environment than that of the running Python throws`() async {
        await #expect(processExitsWith: .success) {
            _ = Self.startElsewhere()
            let error = thrown {
                _ = try PythonInterpreter.start(
                    PythonConfiguration(environment: .virtualEnvironment(TestPython.virtualEnvironment)))
            }
            #expect(error != nil)
            try Self.callInAllWays(try Self.start())
        }
    }

    @Test func `its owner may end it while threads call`() async {
        await #expect(processExitsWith: .success) {
            let state = Self.startElsewhere()
            let python = try Self.start()
            let hold = try python.function("hold", in: "Tests.Fixtures.stopping")
            let (begun, ended) = (Counter(), Counter())
            for index in 0..<6 {
                startThread {
                    var calls = 0
                    while true {
                        let error = thrown { let _: Int = try hold(PythonCallback { index }) }
                        calls += 1
                        if calls == 20 { begun.add(1) }
                        guard let error else { continue }
                        if error.isNotRunning { ended.add(1) }
                        break
                    }
                }
            }
            begun.wait(for: 6)
            _ = Self.call("PyEval_RestoreThread", state)
            #expect(Self.call("Py_FinalizeEx") & 0xFFFF_FFFF == 0)
            ended.wait(for: 6)
            #expect(!PythonInterpreter.isRunning)
        }
    }

    @Test func `a Python that its owner starts again is taken again`() async {
        await #expect(processExitsWith: .success) {
            var state = Self.startElsewhere()
            for _ in 0..<3 {
                let python = try Self.start()
                try python.run("pass")
                _ = Self.call("PyEval_RestoreThread", state)
                _ = Self.call("Py_FinalizeEx")
                #expect(thrown { try python.run("pass") }?.isNotRunning == true)
                state = Self.startElsewhere()
            }
        }
    }
}
