import Benchmark
import CallPathInC
import PythonBridge

/// Calls of several threads at once, each with buffers of its own, beside the same in C. What bounds both is that threads take turns
/// with the GIL.
func addManyThreads(calling two: PythonFunction) throws {
    for count in [1, 2, 4] {
        let buffers = try (0..<count).map { _ in
            (try SharedBuffer<Double>(capacity: 1000), try SharedBuffer<Int>(capacity: 251))
        }

        func inThreads(_ name: String, _ body: @escaping (_ index: Int, _ times: Int) throws -> Void) -> Way {
            Way(name) { times in
                let threads = (0..<count).map { index in Thread { try body(index, times / count) } }
                for thread in threads { thread.join() }
            }
        }
        compare(
            "calls of \(count) thread\(count == 1 ? "" : "s")", times: 100_000, in: .nanoseconds,
            [
                inThreads("C") { _, times in
                    c_use_this_thread()
                    blackHole(c_call_numbers(times))
                },
                inThreads("integers") { _, times in try addUp(times) { try two(1, 2) } },
                inThreads("shared") { index, times in
                    try addUp(times) { try two(buffers[index].0, buffers[index].1) }
                },
            ])
    }
}
