import Glibc
import PythonBridge
import Testing

@testable import PythonWorkers

/// What is left of workers when the process that has them is killed.
@Suite struct WorkerHostTests {
    @Test(.timeLimit(.minutes(15)))
    func `two seconds after the host was killed there is no worker, whatever it did`() async throws {
        let result = await #expect(
            processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]
        ) {
            alarm(60)
            let ways = ["loop", "hold", "stop", "refuse_to_end", "chatter"]
            let workers = PythonWorkers(.test(count: ways.count + 2))
            let (call, process) = (
                workers.function("hang_in", in: "hardships"), workers.function("process", in: "hardships")
            )
            let child: Int = try await workers.function("fork_sleeper", in: "hardships")()
            // One sleeps in a call, and one is idle.
            let sleep = workers.function("sleep", in: "hardships")
            let calls =
                ways.map { way in Task { try await call(way) } } + [Task { try await sleep(60) }]
            while workers.processIdentifiers.count < ways.count + 1 { try await Task.sleep(for: .milliseconds(10)) }
            let _: Int = try await process()
            try await Task.sleep(for: .milliseconds(700))
            let processes = workers.processIdentifiers + [Int32(child)]
            let line = Array(processes.map { "\($0)" }.joined(separator: " ").utf8)
            _ = unsafe write(1, line, line.count)
            kill(getpid(), SIGKILL)
            withExtendedLifetime(calls) {}
        }
        let text = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        let processes = text.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
        #expect(processes.count == 8)
        #expect(eventually(within: 2) { !processes.contains(where: Processes.isRunning) })
        for process in processes where Processes.isRunning(process) { kill(process, SIGKILL) }
    }
}
