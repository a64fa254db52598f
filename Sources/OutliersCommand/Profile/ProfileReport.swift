import Outliers
import PythonBridge

/// What the engines' profiles say, and the ways to show it.
struct ProfileReport {
    private var profiles: [EngineProfile] = []
    private var failures: [(engine: OutlierDetector.Engine, failure: Failure)] = []

    mutating func add(_ profile: EngineProfile) { profiles.append(profile) }

    mutating func add(_ engine: OutlierDetector.Engine, failure: Failure) { failures.append((engine, failure)) }

    /// Why there is no profile at all.
    var onlyFailure: Failure? { profiles.isEmpty ? failures.first?.failure : nil }

    // MARK: - For people

    var text: String {
        var text = ""
        if let first = profiles.first {
            text +=
                "\(Amount.number(first.samples)) samples, \(Amount.number(first.outliers)) outliers; memory in MiB\n\n"
        }
        text += summary.text
        for profile in profiles { text += "\n" + Self.table(of: profile).text }
        for (engine, failure) in failures { text += "\n\(engine.rawValue) did not run: \(failure.message)\n" }
        return text + """

            Memory at the end of each phase, and its peak in it (VmHWM); anonymous, file and shared are what is resident
            of this program (RssAnon, RssFile, RssShmem), "also mapped" what of that other processes have too, heap what
            malloc has handed out, child what is resident of the other process. Python's is by tracemalloc, in a run of
            its own. Extra memory is the most that the detection added, in both processes, without the pages of files.

            """
    }

    private var summary: Table {
        var table = Table(heading: ["engine", "seconds", "extra memory", "copied", "shared"])
        for profile in profiles {
            table.append([
                profile.engine, Self.seconds(profile.seconds), Self.mebibytes(profile.extraMemory),
                Self.mebibytes(profile.bytesCopied), Self.mebibytes(profile.bytesShared),
            ])
        }
        return table
    }

    private static func table(of profile: EngineProfile) -> Table {
        let hasChild = profile.phases.contains { $0.childPeak != nil }
        let isTraced = profile.phases.contains { $0.python != nil }
        var heading = [profile.engine, "seconds", "anonymous", "file", "shared", "also mapped", "peak", "heap"]
        if hasChild { heading += ["child", "its peak"] }
        if isTraced { heading += ["Python's", "its peak"] }
        var table = Table(heading: heading)
        for phase in profile.phases {
            let host = phase.memory.host
            var row = [phase.name, seconds(phase.end - phase.start)]
            row += [
                host.anonymous, host.file, host.sharedMemory, host.sharedClean + host.sharedDirty, phase.peak,
                phase.memory.heap,
            ].map(mebibytes)
            if hasChild { row += [phase.memory.child?.all, phase.childPeak].map { $0.map(mebibytes) ?? "–" } }
            if isTraced { row += [phase.python?.current, phase.python?.peak].map { $0.map(mebibytes) ?? "–" } }
            table.append(row)
        }
        return table
    }

    private static func seconds(_ value: Double) -> String { Amount.fixed(value, digits: 3) }

    private static func mebibytes(_ bytes: Int) -> String { Amount.fixed(Double(bytes) / Double(1 << 20), digits: 1) }

    // MARK: - For programs

    private struct Document: Encodable {
        struct Failed: Encodable {
            let engine: String
            let message: String
        }
        struct Summary: Encodable {
            let engine: String
            let seconds: Double
            let extraMemory: Int
        }
        let samples: Int
        let outliers: Int
        let engines: [EngineProfile]
        let summary: [Summary]
        let failed: [Failed]
    }

    /// The whole, every reading of it, in bytes and seconds.
    func json() throws(Failure) -> String {
        try JSON.line(
            Document(
                samples: profiles.first?.samples ?? 0, outliers: profiles.first?.outliers ?? 0, engines: profiles,
                summary: profiles.map {
                    Document.Summary(engine: $0.engine, seconds: $0.seconds, extraMemory: $0.extraMemory)
                },
                failed: failures.map { Document.Failed(engine: $0.engine.rawValue, message: $0.failure.message) }))
    }

    // MARK: - As a picture

    /// Draws to a file whose ending says PNG or SVG: `pyoutliers.profiling.plot_profile`.
    ///
    /// - Throws: ``Failure``, as ``Picture`` does.
    func draw(to file: OutputFile, python configuration: PythonConfiguration) throws(Failure) {
        let document = try json()
        try Picture.draw("plot_profile", in: "pyoutliers.profiling", to: file, python: configuration) {
            plot, path throws(PythonError) in
            try plot(document, path)
        }
    }
}
