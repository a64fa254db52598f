import PythonBridge

/// For how long the processors of this machine have had work, since it started.
struct ProcessorTime {
    private let wanted: Int
    private let stolen: Int

    /// Until now; nil where the kernel does not tell.
    static var now: ProcessorTime? { FileSystem.lines(of: "/proc/stat")?.first.flatMap { ProcessorTime($0) } }

    /// - Parameter line: The first one of `/proc/stat`. Source: proc(5).
    init?(_ line: Substring) {
        // cpu user nice system idle iowait irq softirq steal
        let times = line.split(separator: " ").dropFirst().compactMap { Int($0) }
        guard times.count >= 8 else { return nil }
        stolen = times[7]
        wanted = times[0] + times[1] + times[2] + times[5] + times[6] + stolen
    }

    /// The share of that time since `start` in which the host of a virtual machine had the processors do something else; from 0 to 1.
    func stolenShare(since start: ProcessorTime) -> Double {
        min(max(0, Double(stolen - start.stolen) / Double(max(1, wanted - start.wanted))), 1)
    }
}
