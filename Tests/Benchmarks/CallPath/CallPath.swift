import Benchmark
import CallPathInC
import PythonBridge

/// One call of a Python function that does nothing, by kind of argument, beside the same CPython calls in plain C.
///
/// All of them run in one process, on one thread, in rounds of ten thousand calls.
let benchmarks: @Sendable () -> Void = {
    let python: PythonInterpreter
    do {
        python = try PythonInterpreter.start()
        try python.run("def nothing(*arguments): return 7")
        try python.run("def two(samples, indices): return 7")
    } catch {
        fatalError("\(error)")
    }

    func add(_ name: String, _ body: @escaping (PythonFunction, PythonFunction) throws -> Int) {
        let configuration = Benchmark.Configuration(
            metrics: [.wallClock], warmupIterations: 2, scalingFactor: .kilo, maxDuration: .seconds(3),
            thresholds: [.wallClock: .init(relative: [.p50: 25.0])])
        Benchmark(name, configuration: configuration) { benchmark in
            let two = try python.function("two", in: "__main__")
            let nothing = try python.function("nothing", in: "__main__")
            "two".withCString { c_prepare($0) }
            benchmark.startMeasurement()
            blackHole(try body(two, nothing))
        }
    }

    let samples = [Double](repeating: 1, count: 1000)

    add("C: two buffers lent") { _, _ in
        var samples = samples
        var indices = [Int64](repeating: 0, count: 251)
        return Int(c_call_lending(&samples, samples.count, &indices, indices.count, 1000))
    }
    add("Swift: two buffers lent, raw memory") { two, _ in
        var sum = 0
        var indices = [Int](repeating: 0, count: 251)
        try samples.withUnsafeBufferPointer { samples in
            try indices.withUnsafeMutableBufferPointer { indices in
                for _ in 0..<1000 { sum += try two(.lending(samples), .lending(indices)) }
            }
        }
        return sum
    }
    add("Swift: two buffers lent, arrays") { two, _ in
        var sum = 0
        var indices = [Int](repeating: 0, count: 251)
        for _ in 0..<1000 { sum += try two(.lending(samples), .lending(&indices)) }
        return sum
    }
    add("Swift: two buffers shared") { two, _ in
        var sum = 0
        let samples = try SharedBuffer(contentsOf: samples)
        let indices = try SharedBuffer<Int>(capacity: 251)
        for _ in 0..<1000 { sum += try two(samples, indices) }
        return sum
    }
    add("Swift: two integers") { two, _ in
        var sum = 0
        for _ in 0..<1000 { sum += try two(1, 2) }
        return sum
    }
    add("Swift: a list of 1000 numbers") { _, nothing in
        var sum = 0
        for _ in 0..<1000 { sum += try nothing(samples) }
        return sum
    }
}
