import FoundationEssentials
import PythonBridge
import PythonWorkers
import Testing

/// What this process has of the system. Source: proc(5).
private struct Held: Equatable, CustomStringConvertible {
    var descriptors: Int
    var threads: Int
    var children: Int

    static var now: Held {
        func count(_ path: String) -> Int { (try? FileManager.default.contentsOfDirectory(atPath: path).count) ?? -1 }
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        // Zombies count.
        let children = threads.reduce(0) { sum, thread in
            let lines = FileSystem.lines(of: "/proc/self/task/\(thread)/children") ?? []
            return sum + lines.reduce(0) { $0 + $1.split(separator: " ").count }
        }
        return Held(descriptors: count("/proc/self/fd"), threads: threads.count, children: children)
    }

    var description: String { "\(descriptors) descriptors, \(threads) threads, \(children) children" }
}

@Suite struct ScriptLeakTests {
    @Test func `runs of all endings leave no process, descriptor or thread`() async {
        await #expect(processExitsWith: .success) {
            let leaves =
                "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
            let sleeps = "import time; time.sleep(600)"
            func all() async {
                await withTaskGroup(of: Void.self) { group in
                    let runs: [@Sendable () async -> Void] = [
                        { _ = try? await code("print(1)").run() },
                        { _ = try? await code("import sys; sys.exit(1)").run(input: .text("x")) },
                        { _ = try? await code("import os; os.abort()").run(output: .combined) },
                        { _ = try? await code(sleeps).run(timeout: .milliseconds(100)) },
                        { _ = try? await code(leaves + "; " + sleeps).run(timeout: .milliseconds(300)) },
                        { _ = try? await code(leaves).run() },
                        { _ = try? await PythonScript(.file("/no/script.py")).run() },
                        { _ = try? await code("").run(arguments: [String](repeating: "x", count: 1_000_000)) },
                        { _ = try? code("print(1)").runAndWait() },
                        {
                            let task = Task { _ = try? await code(sleeps).run() }
                            try? await Task.sleep(for: .milliseconds(100))
                            task.cancel()
                            await task.value
                        },
                    ]
                    for run in runs { group.addTask { await run() } }
                }
            }
            await all()  // what the runtime makes once
            try await Task.sleep(for: .milliseconds(300))
            let before = Held.now
            for _ in 0..<5 { await all() }
            let isBack = await eventually {
                let now = Held.now
                // Swift's pool may have made its threads since, one for each core.
                return now.descriptors == before.descriptors && now.children == 0
                    && now.threads <= before.threads + ProcessInfo.processInfo.activeProcessorCount
            }
            guard isBack else { fatalError("\(before); then \(Held.now)") }
        }
    }
}
