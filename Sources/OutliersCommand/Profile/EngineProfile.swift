import PythonBridge

/// One detection by one engine, in a process of its own.
struct EngineProfile: Codable, Sendable {
    struct Phase: Codable, Sendable {
        var name: String
        let start: Double
        let end: Double
        /// At its end.
        let memory: MemoryReading
        /// The most that was resident of this process meanwhile (`VmHWM`).
        let peak: Int
        /// The most that was read of memory that no file has, in all processes.
        let ownPeak: Int
        /// The most that was read of what the child has resident; nil where there is none.
        let childPeak: Int?
        /// What Python has allocated at its end, and the most meanwhile, by tracemalloc, from another run; nil where it was not traced.
        var python: Traced?
    }

    struct Traced: Codable, Sendable {
        let current: Int
        let peak: Int
    }

    let engine: String
    let samples: Int
    let outliers: Int
    /// By the ledger, during the detection.
    let bytesCopied: Int
    let bytesShared: Int
    var phases: [Phase]
    /// At equal distances.
    let readings: [MemoryReading]

    /// What ``Phase/name`` can be.
    enum PhaseName {
        static let python = "start of Python"
        static let numpy = "import of numpy"
        static let samples = "samples"
        static let firstPass = "first pass"
        static let secondPass = "second pass"
        static let detection = "detection"
        static let release = "release"

        static let ofDetection = [firstPass, secondPass, detection]
    }

    /// The most memory that the detection had beyond what there was before it, in all processes, without the pages of files.
    var extraMemory: Int {
        guard let first = phases.firstIndex(where: { PhaseName.ofDetection.contains($0.name) }), first > 0 else {
            return 0
        }
        let before = phases[first - 1].memory
        let peaks = phases.filter { PhaseName.ofDetection.contains($0.name) }.map { phase in
            // The kernel's peak has no gaps between readings, but files' pages in it: those of the end are the most there were.
            let ofHost = phase.peak - phase.memory.host.file - before.host.anonymous - before.host.sharedMemory
            return max(phase.ownPeak - before.own, ofHost)
        }
        return max(0, peaks.max() ?? 0)
    }

    /// How long the detection took.
    var seconds: Double {
        phases.filter { PhaseName.ofDetection.contains($0.name) }.reduce(0) { $0 + $1.end - $1.start }
    }

    /// With what another run, of the same phases, traced of Python.
    func traced(by other: EngineProfile) -> EngineProfile {
        var profile = self
        for index in profile.phases.indices {
            profile.phases[index].python = other.phases.first { $0.name == profile.phases[index].name }?.python
        }
        return profile
    }
}
