import Benchmark
import CallPathInC
import Glibc
import Outliers
import PythonBridge

/// What each pass of the native detection reads in a second, beside a loop in C that only adds up the same samples: 80 MB, which come from
/// memory, and 8 MB, from the third-level cache where that is large. The second pass writes to memory that is there, and once more to
/// memory that the system has to make.
func addBandwidths() {
    for (count, size) in [(10_000_000, ""), (1_000_000, ", 8 MB")] {
        addBandwidth("uniform samples, no outliers" + size, count) { random in random() }
        // Box and Muller's: 4.6 % are outliers.
        addBandwidth("normal samples" + size, count) { random in
            (-2 * log(1 - random())).squareRoot() * cos(2 * .pi * random())
        }
    }
}

private func addBandwidth(_ name: String, _ count: Int, _ sample: @escaping (_ random: () -> Double) -> Double) {
    let names = ["C loop", "pass 1", "pass 2", "pass 2 to new memory"]
    let rates = names.map { BenchmarkMetric.custom("\($0), MB/s", useScalingFactor: false) }
    let shares = names.map { BenchmarkMetric.custom("\($0) / C loop, %", useScalingFactor: false) }
    lazy var samples: [Double] = {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in sample { .random(in: 0..<1, using: &generator) } }
    }()
    lazy var view = StridedView(SharedBuffer(sharing: samples))
    lazy var indices = Result { try SharedBuffer<Int>(capacity: samples.count / 4 + 1) }
    Benchmark(
        "native, \(name)", configuration: configuration(rates + shares.dropFirst(), duration: .seconds(10))
    ) { benchmark in
        let engine = NativeEngine()
        func time(_ body: () throws -> Void) rethrows -> Double { try ContinuousClock().measure(body) / .seconds(1) }
        let loop = time { samples.withUnsafeBufferPointer { blackHole(c_read($0.baseAddress!, $0.count)) } }
        let first = try time { blackHole(try engine.moments(of: view, options: .standard)) }
        let second =
            try time { blackHole(try engine.outliers(in: view, into: indices.get(), options: .standard)) } - first
        let toNewMemory = try time { blackHole(try engine.outliers(in: view, options: .standard)) } - first
        for (index, seconds) in [loop, first, second, toNewMemory].enumerated() {
            benchmark.measurement(rates[index], Int(8 * Double(view.count) / seconds / 1e6))
            if index > 0 { benchmark.measurement(shares[index], Int(100 * loop / seconds)) }
        }
    }
}
