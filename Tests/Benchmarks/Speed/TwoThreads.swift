import Benchmark
import Outliers
import PythonBridge

/// Two detections on two threads, beside the same two one after the other.
func addTwoThreads(in python: PythonInterpreter) throws {
    let engines: [(String, any OutlierEngine)] = [
        ("embedded", try EmbeddedEngine(python: python)), ("native", NativeEngine()),
    ]
    for (name, engine) in engines {
        let detector = OutlierDetector(engine: engine)
        lazy var series = [tenMillionSamples(), tenMillionSamples()]
        compare(
            "two detections, \(name)", times: 1, in: .microseconds, duration: .seconds(10),
            [
                Way("in turn") { _ in for samples in series { blackHole(try detector.detect(samples)) } },
                Way("at once") { _ in
                    let threads = series.map { samples in Thread { blackHole(try detector.detect(samples)) } }
                    for thread in threads { thread.join() }
                },
                Way("one") { _ in blackHole(try detector.detect(series[0])) },
            ])
    }
}

/// Noise with ten outliers.
func tenMillionSamples() -> [Double] {
    var state: UInt64 = 1
    return (0..<10_000_000).map { index in
        // Knuth's linear congruential generator (MMIX).
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return index % 1_000_000 == 0 ? 100 : Double(state >> 11) / Double(1 << 53)
    }
}
