import FoundationEssentials
import Glibc
import PythonWorkers
import Testing

/// Deadlines, cancellations, and what is left of a script.
@Suite struct ScriptEndTests {
    /// Far less than what the scripts would take, and far more than a loaded machine needs.
    private static let soon = Duration.seconds(60)

    /// A script's process, and another one that it starts, in `Popen(…)`'s words, and does not wait for; their numbers are its first line.
    ///
    /// - Parameter ready: A file that the child makes, its first argument, and that is waited for.
    private func withChild(
        _ options: String, _ rest: String, child: String = "time.sleep(600)", ready: String = "/"
    ) -> String {
        """
        import os, signal, subprocess, sys, time
        child = '''import signal, sys, time
        \(child)'''
        child = subprocess.Popen([sys.executable, '-c', child, '\(ready)']\(options.isEmpty ? "" : ", " + options))
        while not os.path.exists('\(ready)'): time.sleep(0.005)
        print(os.getpid(), child.pid, flush=True)
        \(rest)
        """
    }

    /// Cancels a script as soon as it has written a line, and its process is in a state if that is given; how it ended.
    private func cancelled(
        _ source: String, grace: Duration = .milliseconds(100), in state: Character? = nil
    ) async throws -> ScriptError {
        let line = Monitor("")
        let task = Task { () async throws(ScriptError) in
            try await code(source, grace: grace).run { first in line.withLock { $0 = $0.isEmpty ? first.text : $0 } }
        }
        let isReady = await eventually {
            guard let process = line.withLock({ Int($0.prefix { $0 != " " }) }) else { return false }
            return state == nil || state == stateOf(process)
        }
        #expect(isReady)
        task.cancel()
        guard case .failure(let error as ScriptError) = await task.result else { throw Missing() }
        return error
    }

    private func processes(_ output: ScriptOutput) throws -> [Int] {
        let line = try #require(output.standardOutput.split(separator: "\n").first)
        return line.split(separator: " ").compactMap { Int($0) }
    }

    /// Expects that the script has told of two processes, and that both are gone.
    private func expectGone(_ output: ScriptOutput, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let processes = try processes(output)
        #expect(processes.count == 2, sourceLocation: sourceLocation)
        #expect(await eventually { !processes.contains(where: isAlive) }, sourceLocation: sourceLocation)
    }

    // MARK: - Deadlines

    @Test func `a slow script is ended at its deadline`() async throws {
        let start = ContinuousClock.now
        let error = try await failure { () async throws(ScriptError) in
            try await code("import time; print('so far', flush=True); time.sleep(600)").run(timeout: .seconds(5))
        }
        #expect(ContinuousClock.now - start >= .seconds(5))
        #expect(ContinuousClock.now - start < Self.soon)
        #expect(error.reason == .timedOut(.seconds(5)))
        #expect(error.ending == .signalled(SIGTERM))
        #expect(error.output.standardOutput == "so far\n")
        #expect("\(error)" == "-c: not finished after 5.0 seconds: so far")
    }

    @Test func `a deadline ends a script that a thread waits for`() throws {
        let start = ContinuousClock.now
        let error = #expect(throws: ScriptError.self) {
            try code("while True: pass").runAndWait(timeout: .milliseconds(500))
        }
        #expect(error?.reason == .timedOut(.milliseconds(500)))
        #expect(ContinuousClock.now - start < Self.soon)
    }

    @Test func `a deadline ends a script that writes without end`() async throws {
        var script = code("while True: print('x' * 100)")
        script.outputLimit = .max
        let error = try await failure { () async throws(ScriptError) in
            try await script.run(timeout: .seconds(3))
        }
        #expect(error.reason == .timedOut(.seconds(3)))
        #expect(!error.output.standardOutputBytes.isEmpty)
    }

    @Test(arguments: [Duration.zero, .seconds(-5)])
    func `a deadline that has passed ends the script`(timeout: Duration) async throws {
        let error = try await failure { () async throws(ScriptError) in
            try await code("import time; time.sleep(600)").run(timeout: timeout)
        }
        #expect(error.reason == .timedOut(timeout))
    }

    @Test(arguments: [Duration.seconds(60), .seconds(1_000_000_000)])
    func `a deadline that does not come changes nothing`(timeout: Duration) async throws {
        #expect(try await code("print(1)").run(timeout: timeout).standardOutput == "1\n")
    }

    @Test func `a deadline ends what the script has started as well`() async throws {
        let source = withChild("", "child.wait()")
        let error = try await failure { () async throws(ScriptError) in try await code(source).run(timeout: .seconds(5))
        }
        #expect(error.reason == .timedOut(.seconds(5)))
        try await expectGone(error.output)
    }

    // MARK: - Cancellation

    @Test func `cancelling the task ends the script`() async throws {
        let directory = try Directory()
        let source =
            "import os, time; open('begun', 'w').write(str(os.getpid())); print(1, flush=True); time.sleep(600)"
        let script = PythonScript(.code(source), workingDirectory: directory.path)
        let task = Task { () async -> ScriptError? in
            do throws(ScriptError) {
                try await script.run()
                return nil
            } catch {
                return error
            }
        }
        #expect(await eventually { directory.text("begun")?.isEmpty == false })
        let process = try #require(Int(directory.text("begun") ?? ""))
        #expect(isAlive(process))
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        let error = try #require(await task.value)
        #expect(error.reason == .cancelled)
        #expect(error.ending == .signalled(SIGTERM))
        #expect(error.output.standardOutput == "1\n")
        #expect(!isAlive(process))
        #expect("\(error)" == "-c: cancelled: 1")
    }

    @Test func `a task that was cancelled starts no script`() async throws {
        let directory = try Directory()
        let script = PythonScript(.code("open('begun', 'w')"), workingDirectory: directory.path)
        let task = Task { () async throws(ScriptError) -> ScriptOutput in
            while !Task.isCancelled { await Task.yield() }
            return try await script.run()
        }
        task.cancel()
        let result = await task.result
        guard case .failure(let error) = result else {
            Issue.record("nothing was thrown")
            return
        }
        #expect((error as? ScriptError)?.reason == .cancelled)
        #expect((error as? ScriptError)?.ending == nil)
        #expect(directory.text("begun") == nil)
    }

    @Test func `a group's cancellation reaches a call through everything between`() async throws {
        let start = ContinuousClock.now
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    async let reply: Int = code("import time; time.sleep(600)").call(0)
                    return (try? await reply) == nil
                }
            }
            try? await Task.sleep(for: .milliseconds(200))
            group.cancelAll()
            for await hasFailed in group { #expect(hasFailed) }
        }
        #expect(ContinuousClock.now - start < Self.soon)
    }

    @Test func `a script may clean up when it is asked to end`() async throws {
        let source = """
            import os, signal, sys, time
            def end(*_):
                print('cleaned up')
                sys.exit(7)
            signal.signal(signal.SIGTERM, end)
            print(os.getpid())
            time.sleep(600)
            """
        let error = try await cancelled(source, grace: .seconds(60))
        #expect(error.reason == .cancelled)
        #expect(error.ending == .exited(7))
        #expect(error.output.standardOutput.hasSuffix("\ncleaned up\n"))
    }

    @Test func `one that does not want to end is made to after the grace`() async throws {
        let source = """
            import os, signal, time
            signal.signal(signal.SIGTERM, lambda *_: print('no'))
            print(os.getpid())
            while True: time.sleep(1)
            """
        let start = ContinuousClock.now
        let error = try await cancelled(source, grace: .seconds(2))
        #expect(error.reason == .cancelled)
        #expect(error.ending == .signalled(SIGKILL))
        #expect(error.output.standardOutput.hasSuffix("\nno\n"))
        #expect(ContinuousClock.now - start >= .seconds(2))
        #expect(ContinuousClock.now - start < Self.soon)
    }

    @Test func `a stopped script is ended as well`() async throws {
        let source = "import os, signal; print(os.getpid()); os.kill(os.getpid(), signal.SIGSTOP)"
        #expect(try await cancelled(source, in: "T").ending == .signalled(SIGKILL))
    }

    // MARK: - What a script has started

    @Test(arguments: [
        "", "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL", "stdin=subprocess.PIPE, stdout=subprocess.PIPE",
    ])
    func `a cancellation ends what the script has started as well`(options: String) async throws {
        try await expectGone(try await cancelled(withChild(options, "child.wait()")).output)
    }

    @Test(arguments: ["", "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"])
    func `what is deaf to SIGTERM is killed, also after a script that is not`(options: String) async throws {
        let deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen(sys.argv[1], 'w')\ntime.sleep(600)"
        let directory = try Directory()
        let source = withChild(options, "time.sleep(600)", child: deaf, ready: directory.path + "/ready")
        let error = try await cancelled(source)
        #expect(error.ending == .signalled(SIGTERM))
        try await expectGone(error.output)
    }

    @Test func `a process that holds the output of a script that has ended is not waited for, but asked to end`()
        async throws
    {
        let start = ContinuousClock.now
        let source = withChild("", "print('x' * 60_000 + 'the end')")
        let output = try await code(source, grace: .seconds(60)).run()
        #expect(ContinuousClock.now - start < Self.soon)
        #expect(output.standardOutput.hasSuffix("the end\n"))
        try await expectGone(output)
    }

    @Test func `one in a session of its own that holds the output is left alone, and not waited for`() async throws {
        let start = ContinuousClock.now
        let output = try await code(withChild("start_new_session=True", "")).run()
        #expect(ContinuousClock.now - start < Self.soon)
        let child = try #require(try processes(output).last)
        #expect(isAlive(child))
        kill(pid_t(child), SIGKILL)
    }

    @Test func `what has neither the script's output nor its session goes on`() async throws {
        let options = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
        let output = try await code(withChild(options, "")).run()
        let child = try #require(try processes(output).last)
        try await Task.sleep(for: .milliseconds(300))
        #expect(isAlive(child))
        kill(pid_t(child), SIGKILL)
    }

    @Test func `what still writes has the grace to come to its end`() async throws {
        let directory = try Directory()
        let child = """
            signal.signal(signal.SIGTERM, lambda *_: None)
            open(sys.argv[1], 'w')
            signal.pause()
            time.sleep(0.2)
            print('done')
            """
        let source = withChild("", "", child: child, ready: directory.path + "/ready")
        let output = try await code(source, grace: .seconds(60)).run()
        #expect(output.standardOutput.hasSuffix("\ndone\n"))
    }

    @Test func `a process that writes without end does not keep a script from ending`() async throws {
        let directory = try Directory()
        let child = """
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open(sys.argv[1], 'w')
            while True: print('x' * 100)
            """
        let start = ContinuousClock.now
        let output = try await code(withChild("", "", child: child, ready: directory.path + "/ready")).run()
        #expect(ContinuousClock.now - start < Self.soon)
        let numbers = try #require(output.standardOutput.split(separator: "\n").first { $0.contains(" ") })
        let processes = numbers.split(separator: " ").compactMap { Int($0) }
        #expect(await eventually { !processes.contains(where: isAlive) })
    }

    // MARK: - The tail

    @Test func `no output of a script that ends at once is lost`() async throws {
        // A pipe that holds more than is read at a time: all is read after the end, on a machine that has other things to do.
        let source = """
            import fcntl, os
            for stream in [1, 2]:
                fcntl.fcntl(stream, 1031, 1 << 20)  # F_SETPIPE_SZ
                os.write(stream, b'x' * 300_000)
            os._exit(0)
            """
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    guard let output = try? await code(source).run() else { return false }
                    return output.standardOutputBytes.count == 300_000 && output.standardErrorBytes.count == 300_000
                }
            }
            for await isWhole in group { #expect(isWhole) }
        }
    }
}
