/// What `bench` found; its properties are the keys of `--json`. Times are in seconds, sizes in bytes.
struct BenchReport: Encodable {
    /// When, on what, and with which versions.
    let system: BenchSystem
    let data: String
    let threshold: Double
    let sizes: [Size]
    /// What could not run, and why.
    let unavailable: [Unavailable]

    struct Size: Encodable {
        let samples: Int
        let outliers: Int
        /// In the order in which they were asked for.
        let engines: [Row]
        let pick: Pick
    }

    struct Row: Encodable {
        /// With the threads, if there are several.
        var name: String { Contestant.name(engine, threads: threads) }

        let engine: String
        /// At most.
        let threads: Int
        let isIsolated: Bool
        /// How many times were measured; each is of one call, or the mean over a turn of several.
        let runs: Int
        let median: Double
        let lowerQuartile: Double
        let upperQuartile: Double
        /// The median over the fastest one's.
        let ratioToFastest: Double
        /// The median over the one-liner's; missing where that was not measured.
        let ratioToOneLiner: Double?
        let bytesCopied: Int
        /// Missing where the kernel does not tell.
        let peakExtraBytes: Int?
    }

    /// The fastest engines of each sort; missing where there is none.
    struct Pick: Encodable {
        /// In this process.
        let fastest: String?
        /// In this process's Python.
        let python: String?
        /// In a process of its own.
        let isolated: String?
    }

    struct Unavailable: Encodable {
        let engine: String
        /// The first number of samples that it could not run on; missing where it could not be started at all.
        let samples: Int?
        let reason: String
    }
}

extension BenchReport.Size {
    /// What was measured of one contestant.
    struct Measurement {
        let contestant: Contestant
        let times: [Double]
        let memory: DetectionMemory
    }

    init(samples: Int, outliers: Int, _ measurements: [Measurement]) {
        let ranked = measurements.map {
            (kind: $0.contestant.kind, name: $0.contestant.name, time: Quartiles($0.times))
        }
        .sorted { $0.time.median < $1.time.median }
        let oneLiner = ranked.first { $0.kind == .oneLiner }?.time.median
        func fastest(_ isOfSort: (Contestant.Kind) -> Bool) -> String? {
            ranked.first { $0.kind != .oneLiner && isOfSort($0.kind) }?.name
        }
        self.samples = samples
        self.outliers = outliers
        engines = measurements.map { measurement in
            let time = Quartiles(measurement.times)
            return BenchReport.Row(
                engine: measurement.contestant.kind.rawValue, threads: measurement.contestant.threads,
                isIsolated: measurement.contestant.kind.isIsolated,
                runs: measurement.times.count, median: time.median, lowerQuartile: time.lower,
                upperQuartile: time.upper, ratioToFastest: time.median / (ranked.first?.time.median ?? .nan),
                ratioToOneLiner: oneLiner.map { time.median / $0 }, bytesCopied: measurement.memory.bytesCopied,
                peakExtraBytes: measurement.memory.peakExtraBytes)
        }
        pick = BenchReport.Pick(
            fastest: fastest { !$0.isIsolated }, python: fastest { $0.usesPython }, isolated: fastest { $0.isIsolated })
    }
}
