import Benchmark
import CallPathInC
import PythonBridge

/// Each benchmark has a process of its own: what is to be compared is one benchmark.
let benchmarks: @Sendable () -> Void = {
    let repository = #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 }
    do {
        let python = try PythonInterpreter.start(PythonConfiguration(searchPaths: [repository]))
        try python.run("def two(samples, indices): return 7")
        c_look_up("two")
        let two = try python.function("two", in: "__main__")
        try addCalls(of: two, in: python)
        try addSizes(of: two)
        try addManyThreads(calling: two)
        try addLatencies(of: two, in: python)
        try addThousand(in: python)
        try addTwoThreads(in: python)
        addBandwidths()
        try addRoundTrips(in: repository)
    } catch {
        fatalError("\(error)")
    }
}

/// One of the ways of doing the same.
struct Way {
    let name: String
    /// Does it that many times.
    let body: (_ times: Int) throws -> Void

    init(_ name: String, _ body: @escaping (_ times: Int) throws -> Void) {
        self.name = name
        self.body = body
    }

    func ratio(to other: Way) -> BenchmarkMetric { .custom("\(name) / \(other.name), %", useScalingFactor: false) }

    /// The time for one, in that unit.
    func measure(_ unit: Unit, times: Int = 1) throws -> Double {
        let duration = try ContinuousClock().measure { try body(times) }
        return duration / (unit.duration * times)
    }

    func time(_ unit: Unit) -> BenchmarkMetric { .custom("\(name), \(unit.rawValue)", useScalingFactor: false) }
}

/// Calls so many times, and adds up what comes back, as the loops in C do.
@inline(__always)
func addUp(_ times: Int, _ call: () throws -> Int) throws {
    var sum = 0
    for _ in 0..<times { sum &+= try call() }
    blackHole(sum)
}

enum Unit: String {
    case nanoseconds = "ns"
    case microseconds = "µs"

    var duration: Duration { self == .nanoseconds ? .nanoseconds(1) : .microseconds(1) }
}

/// - Parameter ratios: Those of the metrics that a later run is compared by, with a tolerance of a quarter of their median. Times are
///   those of a machine.
func configuration(
    _ metrics: [BenchmarkMetric], ratios: [BenchmarkMetric] = [], duration: Duration
) -> Benchmark.Configuration {
    let tolerances = metrics.map { ($0, ratios.contains($0) ? BenchmarkThresholds(relative: [.p50: 25]) : .none) }
    return Benchmark.Configuration(
        metrics: metrics, units: Dictionary(uniqueKeysWithValues: metrics.map { ($0, .count) }),
        warmupIterations: 2, maxDuration: duration, thresholds: Dictionary(uniqueKeysWithValues: tolerances))
}

/// Measures the ways in rounds, in each of them every way once, and by each round the ratio of each way to the first.
func compare(
    _ name: String, times: Int = 1000, in unit: Unit = .nanoseconds, duration: Duration = .seconds(5), _ ways: [Way]
) {
    let ratios = ways.dropFirst().map { $0.ratio(to: ways[0]) }
    let metrics = ways.map { $0.time(unit) } + ratios
    Benchmark(name, configuration: configuration(metrics, ratios: ratios, duration: duration)) { benchmark in
        c_use_this_thread()
        let first = try ways[0].measure(unit, times: times)
        benchmark.measurement(ways[0].time(unit), Int(first))
        for way in ways.dropFirst() {
            let time = try way.measure(unit, times: times)
            benchmark.measurement(way.time(unit), Int(time))
            benchmark.measurement(way.ratio(to: ways[0]), Int((100 * time / first).rounded()))
        }
    }
}
