import FoundationEssentials
import Glibc
import PythonBridge

/// What was measured on.
struct BenchSystem: Encodable {
    /// ISO 8601, UTC.
    let date: String
    let cpu: String
    /// Those that this process may use.
    let cores: Int
    /// Of the time in which the machine's processors had work: what the host of a virtual machine gave to others, from 0 to 1. Missing
    /// where the kernel does not tell.
    let stolenShare: Double?
    let python: String?
    let numpy: String?

    /// - Parameters:
    ///   - configuration: Which Python, if one is used; versions are missing where it does not start in this process.
    ///   - start: Since when time that was stolen counts.
    init(python configuration: PythonConfiguration?, since start: ProcessorTime?) {
        date = Date.now.formatted(.iso8601)
        cpu = Self.processor
        cores = ProcessInfo.processInfo.activeProcessorCount
        stolenShare = start.flatMap { ProcessorTime.now?.stolenShare(since: $0) }
        let interpreter = configuration.flatMap { try? PythonInterpreter.start($0) }
        python = try? interpreter?.evaluate("__import__('sys').version.split()[0]")
        numpy = try? interpreter?.module("numpy").attribute("__version__").read()
    }

    /// The model where the kernel names it, otherwise the architecture. Source: proc(5), uname(2).
    private static var processor: String {
        let line = FileSystem.lines(of: "/proc/cpuinfo")?.first { $0.hasPrefix("model name") }
        if let model = line?.split(separator: ":", maxSplits: 1).dropFirst().first {
            return model.split(separator: " ").joined(separator: " ")
        }
        var system = utsname()
        guard unsafe uname(&system) == 0 else { return "unknown" }
        return unsafe withUnsafeBytes(of: system.machine) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// On one line.
    var text: String {
        let versions = [python.map { "CPython \($0)" }, numpy.map { "numpy \($0)" }].compactMap(\.self)
        return (versions + [cpu, Self.text(cores: cores, stolenShare: stolenShare), date]).joined(separator: ", ")
    }

    static func text(cores: Int, stolenShare: Double?) -> String {
        let percent = Int(((stolenShare ?? 0) * 100).rounded())
        return "\(cores) core\(cores == 1 ? "" : "s")" + (percent > 0 ? " (\(percent) % of the time stolen)" : "")
    }
}
