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

    @Test(.timeLimit(.minutes(15))) func `a cancellation may be within itself, and on several threads at once`() throws
    {
        let (python, spin, cancellation) = (python, spin, PythonCancellation())
        try cancellation.run {
            try cancellation.run { try python.withDeadline(.now + .seconds(60)) { try python.run("pass") } }
        }
        let begun = Counter()
        startThread {
            while begun.value < 4 { sleepBriefly() }
            cancellation.cancel()
        }
        try onNewThreads(4) { index in
            let error = thrown {
                try python.withDeadline(.now + .seconds(60)) {
                    try cancellation.run {
                        begun.add(1)
                        try spin()
                    }
                }
            }
            guard case .cancelled = error else { throw error ?? .notRunning }
            try python.run("pass")
        }
    }

    @Test func `a deadline may be as far as can be`() async throws {
        let python = python
        let far = ContinuousClock.Instant.now + .seconds(Int64.max)
        try python.withDeadline(far) { try python.run("pass") }
        try await PythonExecutor().run(deadline: far) { try python.run("pass") }
    }

    @Test func `a property and an iteration are interrupted too`() throws {
        let cancellation = PythonCancellation()
        let object: PythonObject = try TestPython.fixture("Endless", in: "interruptions")()
        cancellation.run {
            cancellation.cancel()
            #expect(isCancelled(thrown { _ = try object.attribute("spinning") }))
            #expect(isCancelled(thrown { let _: [Int] = try object.read() }))
        }
    }
}
