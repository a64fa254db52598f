import PythonBridge
import Testing

/// Deadlines and cancellations within one another.
@Suite struct NestedInterruptionTests {
    let python: PythonInterpreter
    let spin: PythonFunction

    init() throws {
        python = try TestPython.start()
        spin = try TestPython.fixture("spin", in: "interruptions")
    }

    func isCancelled(_ error: PythonError?) -> Bool {
        if case .cancelled = error { true } else { false }
    }

    @Test func `nothing runs in an inner scope once the outer one is cancelled`() throws {
        let cancellation = PythonCancellation()
        cancellation.run {
            cancellation.cancel()
            #expect(isCancelled(thrown { try spin() }))
            let error = thrown { try python.withDeadline(.now + .seconds(60)) { try python.run("pass") } }
            #expect(isCancelled(error))
            #expect(isCancelled(thrown { try python.run("pass") }))
        }
        try python.run("pass")
    }

    @Test func `an outer scope that is cancelled within an inner one stays so`() throws {
        let cancellation = PythonCancellation()
        cancellation.run {
            let error = thrown {
                try python.withDeadline(.now + .seconds(60)) {
                    cancellation.cancel()
                    try spin()
                }
            }
            #expect(isCancelled(error))
            #expect(isCancelled(thrown { try python.run("pass") }))
        }
        try python.run("pass")
    }

    @Test func `an inner scope that is cancelled leaves the outer one as it is`() throws {
        let outer = PythonCancellation()
        try outer.run {
            let inner = PythonCancellation()
            inner.run {
                inner.cancel()
                #expect(isCancelled(thrown { try spin() }))
            }
            try python.run("pass")
            outer.cancel()
            #expect(isCancelled(thrown { try spin() }))
        }
        try python.run("pass")
    }
}
