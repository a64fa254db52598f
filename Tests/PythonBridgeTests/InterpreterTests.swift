import Glibc
import PythonBridge
import Testing

/// Start and stop, each test in a process of its own.
@Suite(.timeLimit(.minutes(15))) struct InterpreterTests {
    @Test func `a second start with the same configuration gives the same interpreter`() async {
        await #expect(processExitsWith: .success) {
            #expect(!PythonInterpreter.isRunning)
            let first = try TestPython.start()
            try first.run("started = 1")
            let second = try TestPython.start()
            #expect(second.environment == first.environment)
            let started: Int = try second.evaluate("started")
            #expect(started == 1)
            #expect(PythonInterpreter.isRunning)
        }
    }

    @Test func `a second start with another configuration throws`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            guard case .interpreter = thrown({ _ = try PythonInterpreter.start(.init(usesUserSite: true)) }) else {
                Issue.record("the second configuration was taken")
                return
            }
            try python.run("pass")
        }
    }

    @Test func `many threads that start at once get one interpreter`() async {
        await #expect(processExitsWith: .success) {
            try onNewThreads(8) { index in
                let identity: Int = try TestPython.start().evaluate("id(__import__('sys').modules)")
                #expect(identity != 0)
            }
            try PythonInterpreter.start(PythonConfiguration(searchPaths: [TestPython.repository])).stop()
        }
    }

    @Test func `pure Python can be stopped and started again and again`() async {
        await #expect(processExitsWith: .success) {
            for round in 0..<5 {
                let python = try TestPython.start()
                let isNew: Bool = try python.evaluate("'round' not in globals()")
                #expect(isNew)
                try python.run("round = \(round)")
                let length: Int = try python.function("len", in: "builtins")(try SharedBuffer<Int>(capacity: round))
                #expect(length == round)
                let lent: Int = try python.function("sum", in: "builtins")(.lending([round, 1]))
                #expect(lent == round + 1)
                try python.stop()
                #expect(!PythonInterpreter.isRunning)
                try python.stop()
            }
        }
    }

    @Test func `threads of all kinds go on after a restart`() async {
        await #expect(processExitsWith: .success) {
            for round in 0..<3 {
                try onNewThreads(4) { index in
                    let python = try TestPython.start()
                    let value: Int = try python.evaluate("\(index)")
                    #expect(value == index)
                }
                try onNewThreads { _ in
                    try TestPython.start().run("import threading")
                    if round == 1 { try TestPython.start().stop() }
                }
                let value: Int = try TestPython.start().evaluate("1")
                #expect(value == 1)
                try TestPython.start().stop()
            }
        }
    }

    @Test func `a thread may go on through a restart on another thread`() async {
        await #expect(processExitsWith: .success) {
            try onNewThreads { _ in
                for round in 0..<4 {
                    let value: Int = try TestPython.start().evaluate("\(round)")
                    #expect(value == round)
                    try onNewThreads { _ in
                        let value: Int = try TestPython.start().evaluate("-1")
                        #expect(value == -1)
                        try TestPython.start().stop()
                    }
                }
            }
        }
    }

    @Test func `a start after numpy was loaded and Python stopped throws and names numpy`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run("import numpy")
            checkForLeaks()  // before numpy loses what it cannot give back
            try python.stop()
            let error = thrown { _ = try TestPython.start() }
            #expect(error?.description.contains("numpy") == true)
            #expect(!PythonInterpreter.isRunning)
        }
    }

    @Test func `what is left over after a stop is inert`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            let length = try python.function("len", in: "builtins")
            let object: PythonObject = try python.evaluate("[1, 2]")
            let buffer = try SharedBuffer<Int>(contentsOf: [1])
            let before: Int = try length(buffer)
            try python.stop()
            let uses: [() throws -> Void] = [
                { let _: Int = try length(buffer) }, { let _: Int = try length(.lending([1])) },
                { let _: Int = try length.call([object]) }, { _ = try object.attribute("append") },
                { _ = try object.function("append") }, { _ = try object.typeName }, { try python.run("pass") },
                { let _: Int = try python.evaluate("1") }, { _ = try python.module("sys") },
                { _ = try python.function("f", inScript: "/tmp/f.py") },
            ]
            for (index, use) in uses.enumerated() { #expect(thrown(use)?.isNotRunning == true, "use \(index)") }
            #expect(buffer[0] == before)
        }
    }

    @Test func `what is left over stays inert when Python starts again`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            var object: PythonObject? = try python.evaluate("[1, 2]")
            let length = try python.function("len", in: "builtins")
            try python.stop()
            let again = try TestPython.start()
            let failure = thrown { _ = try object.map { object throws(PythonError) in try object.typeName } }
            #expect(failure?.isNotRunning == true)
            let failure2 = thrown { let _: Int = try length([1]) }
            #expect(failure2?.isNotRunning == true)
            let newLength = try again.function("len", in: "builtins")
            let failure3 = thrown { let _: Int = try newLength(object) }
            #expect(failure3?.isNotRunning == true)
            object = nil
            let value: Int = try newLength([1])
            #expect(value == 1)
        }
    }

    @Test func `memory that Python held at a stop is given back`() async {
        await #expect(processExitsWith: .success) {
            let python = try TestPython.start()
            try python.run("views = []\ndef stop_keep(view): views.append(view)")
            var leases: [PythonLease] = []
            let before = residentBytes()
            do {
                let keep = try python.function("stop_keep", in: "__main__")
                for _ in 0..<100 {
                    leases += thrown { try keep(.lending([1, 2])) }?.escape?.views.map { $0.lease } ?? []
                }
                try keep(SharedBuffer(sharing: [UInt8](repeating: 1, count: 64 << 20)))
            }
            #expect(residentBytes() - before > 60 << 20)
            try python.stop()
            #expect(leases.count == 100)
            #expect(leases.filter { !$0.hasEnded }.count == 0)
            let left = residentBytes() - before
            #expect(left < max(8 << 20, MemoryTests.residentTolerance))
        }
    }

    @Test func `output reaches a pipe when the process ends without a stop`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            let python = try TestPython.start()
            try python.run("print('żółw at the end', end='')")
            exit(0)
        }
        let output = text(result?.standardOutputContent)
        #expect(output.contains("żółw at the end"))
    }

    @Test(arguments: ["import os; os._exit(7)", "import os; os.abort()", "import ctypes; ctypes.string_at(0)"])
    func `a crash in Python takes the process with it`(source: String) async {
        await #expect(processExitsWith: .failure) { [source] in
            let python = try TestPython.start()
            try? python.run(source)
            _exit(0)
        }
    }

    @Test func `output reaches a pipe by a stop`() async {
        let result = await #expect(processExitsWith: .exitCode(7), observing: [\.standardOutputContent]) {
            let python = try TestPython.start()
            try python.run("print('before the stop', end='')")
            try python.stop()
            _exit(7)
        }
        let output = text(result?.standardOutputContent)
        #expect(output.contains("before the stop"))
    }

    @Test func `exit handlers run when the process ends`() async {
        let result = await #expect(processExitsWith: .exitCode(9), observing: [\.standardOutputContent]) {
            let python = try TestPython.start()
            try python.run("import atexit\natexit.register(print, 'the handler ran')")
            exit(9)
        }
        let output = text(result?.standardOutputContent)
        #expect(output.contains("the handler ran"))
    }

    @Test func `exit handlers run once when Python was stopped before`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            let python = try TestPython.start()
            try python.run("import atexit\natexit.register(print, 'the handler ran')")
            try python.stop()
        }
        let output = text(result?.standardOutputContent)
        #expect(output.split(separator: "the handler ran", omittingEmptySubsequences: false).count == 2)
    }

    @Test func `a failed start throws, and a better one works`() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<2 {
                guard case .interpreter = thrown({ _ = try PythonInterpreter.start(.init(home: "/nonexistent")) })
                else {
                    Issue.record("a start without a standard library worked")
                    return
                }
                #expect(!PythonInterpreter.isRunning)
            }
            let failure = thrown { _ = try TestPython.start() }
            #expect(failure == nil)
            let python = try TestPython.start()
            let home: String = try python.evaluate("__import__('sys').prefix")
            #expect(home != "/nonexistent")
            try onNewThreads { _ in
                let sum: Int = try TestPython.fixture("sum_all", in: "threads")(.lending([1, 2]))
                #expect(sum == 3)
            }
            let values: [Int] = try TestPython.memory("values")(.lending([1, 2]))
            #expect(values == [1, 2])
        }
    }

    @Test func `a failed start on one thread and a good one on another work`() async {
        await #expect(processExitsWith: .success) {
            try onNewThreads { _ in
                let failure = thrown { _ = try PythonInterpreter.start(.init(home: "/nonexistent")) }
                #expect(failure != nil)
            }
            let failure2 = thrown { try TestPython.start().run("import sys") }
            #expect(failure2 == nil)
            let values: [Int] = try TestPython.memory("values")(.lending([1, 2]))
            #expect(values == [1, 2])
        }
    }

    @Test func `a start that fails over its environment leaves Python to be started`() async {
        await #expect(processExitsWith: .success) {
            let error = thrown {
                _ = try PythonInterpreter.start(.init(environment: .virtualEnvironment("/nonexistent")))
            }
            guard case .environment = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            try TestPython.start().run("import numpy")
        }
    }

    @Test func `Python stops without complaint on any thread, whichever imported threading`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            _ = try TestPython.start()
            try onNewThreads { _ in try TestPython.start().run("import threading") }
            try onNewThreads { _ in try TestPython.start().stop() }
        }
        let output = text(result?.standardErrorContent)
        #expect(!output.contains("Exception ignored"))
    }

    @Test func `Python stops while the thread that imported threading lives on`() async {
        await #expect(processExitsWith: .success) {
            alarm(60)  // ends the process if the stop never returns
            _ = try TestPython.start()
            startThread {
                try TestPython.start().run("import threading")
                while true { pause() }
            }
            let python = try TestPython.start()
            var isImported = false
            while !isImported {
                isImported = try python.evaluate("hasattr(__import__('sys').modules.get('threading'), 'Thread')")
            }
            try python.stop()
        }
    }

    @Test func `Python can be stopped from another thread than it was started on`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try onNewThreads { _ in try TestPython.start().run("import threading, concurrent.futures") }
            try onNewThreads { _ in try TestPython.start().stop() }
            #expect(!PythonInterpreter.isRunning)
        }
        let output = text(result?.standardErrorContent)
        #expect(!output.contains("Exception ignored"))
    }
}

private func text(_ output: [UInt8]?) -> String { String(decoding: output ?? [], as: UTF8.self) }
