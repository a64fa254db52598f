import PythonBridge
import Testing

/// Deadlines: what they end, and what they leave alone.
@Suite struct DeadlineTests {
    let python: PythonInterpreter
    let spin: PythonFunction

    init() throws {
        python = try TestPython.start()
        spin = try TestPython.fixture("spin", in: "interruptions")
    }

    func isDeadlineExceeded(_ error: PythonError?) -> Bool {
        if case .deadlineExceeded = error { true } else { false }
    }

    @Test func `an endless loop ends at its deadline`() {
        let error = thrown { try python.withDeadline(.now + .milliseconds(50)) { try spin() } }
        #expect(isDeadlineExceeded(error))
    }

    @Test func `a call in time is not touched, nor the one after it`() throws {
        for _ in 0..<200 {
            let number: Int = try python.withDeadline(.now + .seconds(60)) {
                try python.evaluate("sum(range(100))")
            }
            #expect(number == 4950)
        }
    }

    @Test func `a deadline that is past calls nothing`() throws {
        let ignored = try TestPython.fixture("ignore_interruptions", in: "interruptions")
        let error = thrown { try python.withDeadline(.now - .seconds(1)) { try ignored(7) } }
        #expect(isDeadlineExceeded(error))
        let number: Int = try python.evaluate("1")
        #expect(number == 1)
    }

    @Test func `short calls end too`() throws {
        let work = try TestPython.fixture("work", in: "interruptions")
        let error = thrown { try python.withDeadline(.now + .milliseconds(20)) { while true { try work(1) } } }
        #expect(isDeadlineExceeded(error))
    }

    @Test func `the exception that ends a call is no other call's`() throws {
        for _ in 0..<40 {
            let error = thrown { try python.withDeadline(.now + .milliseconds(3)) { try spin() } }
            #expect(isDeadlineExceeded(error))
            let sum: Int = try python.evaluate("sum(range(1000))")
            #expect(sum == 499_500)
        }
    }

    @Test func `a cancellation ends what runs on another thread, and what begins there`() throws {
        let cancellation = PythonCancellation()
        let (spin, begun) = (spin, Counter())
        startThread {
            while begun.value == 0 { sleepBriefly() }
            cancellation.cancel()
        }
        cancellation.run {
            begun.add(1)
            let first = thrown { try spin() }
            let second = thrown { try python.run("raise SystemExit") }
            for error in [first, second] {
                guard case .cancelled = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
        }
        #expect(cancellation.isCancelled)
        try python.run("pass")
    }

    @Test func `an interruption passes through Swift's closures, and through code that catches errors`() throws {
        let (spin, careless) = (spin, try TestPython.fixture("call_and_ignore_errors", in: "interruptions"))
        let error = thrown {
            try python.withDeadline(.now + .milliseconds(20)) { try careless(PythonCallback { try spin() }) }
        }
        #expect(isDeadlineExceeded(error))
    }

    @Test func `an interruption that comes while Swift's closure runs waits for it`() throws {
        let call = try TestPython.fixture("call_and_spin", in: "interruptions")
        let (cancellation, ended) = (PythonCancellation(), Counter())
        let cancel = PythonCallback {
            cancellation.cancel()
            for _ in 0..<30 { sleepBriefly() }
            ended.add(1)
        }
        let error = thrown { try cancellation.run { try call(cancel) } }
        guard case .cancelled = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(ended.value == 1)
    }

    @Test func `code that catches every exception is interrupted again`() throws {
        let stubborn = try TestPython.fixture("ignore_interruptions", in: "interruptions")
        let error = thrown {
            try python.withDeadline(.now + .milliseconds(20)) { try stubborn(3) }
        }
        #expect(isDeadlineExceeded(error))
        let caught: Int = try TestPython.fixture("times_ignored", in: "interruptions")()
        #expect(caught == 3)
    }

    @Test func `code that catches errors does not catch an interruption`() throws {
        let careless = try TestPython.fixture("ignore_errors", in: "interruptions")
        let error = thrown {
            try python.withDeadline(.now + .milliseconds(20)) { try careless() }
        }
        #expect(isDeadlineExceeded(error))
    }

    /// The deadline passes at every possible moment about the end of a scope.
    @Test func `an interruption that comes late hits no other call`() throws {
        let work = try TestPython.fixture("work", in: "interruptions")
        var interrupted = 0
        for step in 0..<2_000 {
            let error = thrown {
                try python.withDeadline(.now + .microseconds(step % 200)) { try work(20) }
            }
            if isDeadlineExceeded(error) { interrupted += 1 } else { #expect(error == nil) }
            let sum: Int = try python.evaluate("sum(range(1000))")
            #expect(sum == 499_500)
        }
        #expect(interrupted > 0)
    }

    @Test func `scopes nest: the inner deadline ends the inner call only`() throws {
        let spin = spin
        let python = python
        let result: String = try python.withDeadline(.now + .seconds(60)) {
            let error = thrown {
                try python.withDeadline(.now + .milliseconds(20)) { try spin() }
            }
            #expect(isDeadlineExceeded(error))
            return try python.evaluate("'still here'")
        }
        #expect(result == "still here")
    }

    @Test func `the outer deadline ends the inner call`() {
        let error = thrown {
            try python.withDeadline(.now + .milliseconds(30)) {
                try python.withDeadline(.now + .seconds(60)) { try spin() }
            }
        }
        #expect(isDeadlineExceeded(error))
    }

    @Test func `many threads have deadlines of their own`() throws {
        let (python, spin) = (python, spin)
        try onNewThreads(8) { index in
            for round in 0..<5 {
                let error = thrown {
                    try python.withDeadline(.now + .milliseconds(5 + 3 * ((index + round) % 4))) {
                        () throws(PythonError) in try spin()
                    }
                }
                #expect(isDeadlineExceeded(error))
                let number: Int = try python.evaluate("6 * 7")
                #expect(number == 42)
            }
        }
    }

    @Test func `a lend that is interrupted leaves no view`() throws {
        let spinWith = try TestPython.fixture("spin_with", in: "interruptions")
        var array = [1, 2, 3]
        let before = MemoryLedger.total.escapes
        let failure = thrown {
            try python.withDeadline(.now + .milliseconds(20)) {
                try spinWith(.lending([1.0]), .lending(&array))
            }
        }
        #expect(isDeadlineExceeded(failure))
        _ = before
    }
}
