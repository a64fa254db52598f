import Benchmark
import CallPathInC
import PythonBridge

/// Calls of a Python function that does nothing, beside the same CPython calls in plain C.
func addCalls(of two: PythonFunction, in python: PythonInterpreter) throws {
    var samples = [Double](repeating: 1, count: 1000)
    var indices = [Int](repeating: 0, count: 251)
    var indicesInC = [Int64](repeating: 0, count: 251)
    let sharedSamples = try SharedBuffer(contentsOf: samples)
    let sharedIndices = try SharedBuffer<Int>(capacity: indices.count)
    let prepared = try two.prepared(sharedSamples, sharedIndices)

    let lendRaw = Way("raw memory") { times in
        try samples.withUnsafeBufferPointer { samples in
            try indices.withUnsafeMutableBufferPointer { indices in
                try addUp(times) { try two(.lending(samples), .lending(indices)) }
            }
        }
    }
    let lendArrays = Way("arrays") { times in
        try addUp(times) { try two(.lending(samples), .lending(&indices)) }
    }
    let share = Way("shared") { times in
        try addUp(times) { try two(sharedSamples, sharedIndices) }
    }
    let list = Way("list") { times in
        try addUp(times) { try two(samples, 0) }
    }
    let integers = Way("bridge") { times in
        try addUp(times) { try two(1, 2) }
    }
    let callPrepared = Way("prepared") { times in
        try addUp(times) { try prepared() }
    }

    /// The same with the thread attached throughout.
    func attached(_ way: Way) -> Way {
        Way(way.name) { times in
            try python.attached { _ throws(PythonError) in
                do { try way.body(times) } catch { throw error as! PythonError }
            }
        }
    }

    let lendInC = Way("C") { blackHole(c_call_lending(&samples, samples.count, &indicesInC, indicesInC.count, $0)) }
    compare("two buffers", [lendInC, lendRaw, lendArrays, share])
    compare("a list of 1000 numbers beside two buffers", times: 100, [lendInC, list])
    compare(
        "two buffers, attached",
        [
            Way("C") { blackHole(c_call_lending_attached(&samples, samples.count, &indicesInC, indicesInC.count, $0)) },
            attached(lendRaw), attached(lendArrays), attached(share),
        ])
    compare("two integers", [Way("C") { blackHole(c_call_numbers($0)) }, integers])
    compare("two integers, attached", [Way("C") { blackHole(c_call_numbers_attached($0)) }, attached(integers)])
    let ready = Way("C, ready views") {
        blackHole(c_call_prepared(&samples, samples.count, &indicesInC, indicesInC.count, $0))
    }
    let readyAttached = Way("C, ready views") {
        blackHole(c_call_prepared_attached(&samples, samples.count, &indicesInC, indicesInC.count, $0))
    }
    compare("the same two buffers again", [ready, share, callPrepared])
    compare("the same two buffers again, attached", [readyAttached, attached(share), attached(callPrepared)])
    compare(
        "first call of a thread", times: 100,
        [
            Way("C") { times in for _ in 0..<times { Thread { blackHole(c_call_ensured()) }.join() } },
            Way("bridge") { times in for _ in 0..<times { Thread { blackHole(try two(1, 2) as Int) }.join() } },
        ])
}
