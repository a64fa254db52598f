import CallPathInC
import PythonBridge

// One way of calling a Python function that does nothing, as many times as it is told: `CallCosts WAY TIMES`. What one call costs
// is the difference between two runs, divided by that of their times.

let arguments = CommandLine.arguments
guard arguments.count == 3, let times = Int(arguments[2]) else { fatalError("usage: CallCosts WAY TIMES") }

let python = try PythonInterpreter.start()
try python.run("def two(samples, indices): return 7")
c_look_up("two")
c_use_this_thread()
let two = try python.function("two", in: "__main__")
var samples = [Double](repeating: 1, count: 1000)
var indices = [Int](repeating: 0, count: 251)
var indicesInC = [Int64](repeating: 0, count: 251)
let sharedSamples = try SharedBuffer(contentsOf: samples)
let sharedIndices = try SharedBuffer<Int>(capacity: indices.count)
let prepared = try two.prepared(sharedSamples, sharedIndices)

let ways: [String: () throws -> Void] = [
    "ready in C": { _ = c_call_prepared(&samples, samples.count, &indicesInC, indicesInC.count, times) },
    "ready in C, attached": {
        _ = c_call_prepared_attached(&samples, samples.count, &indicesInC, indicesInC.count, times)
    },
    "shared, attached": {
        try python.attached { _ throws(PythonError) in
            for _ in 0..<times { let _: Int = try two(sharedSamples, sharedIndices) }
        }
    },
    "lent in C": { _ = c_call_lending(&samples, samples.count, &indicesInC, indicesInC.count, times) },
    "integers in C": { _ = c_call_numbers(times) },
    "prepared": { for _ in 0..<times { let _: Int = try prepared() } },
    "shared": { for _ in 0..<times { let _: Int = try two(sharedSamples, sharedIndices) } },
    "lent": { for _ in 0..<times { let _: Int = try two(.lending(samples), .lending(&indices)) } },
    "lent raw": {
        try samples.withUnsafeBufferPointer { samples in
            try indices.withUnsafeMutableBufferPointer { indices in
                for _ in 0..<times { let _: Int = try two(.lending(samples), .lending(indices)) }
            }
        }
    },
    "integers": { for _ in 0..<times { let _: Int = try two(1, 2) } },
]
guard let way = ways[arguments[1]] else { fatalError("the ways are \(ways.keys.sorted())") }
try way()
