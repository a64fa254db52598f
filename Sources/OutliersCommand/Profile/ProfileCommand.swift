import ArgumentParser
import Outliers
import PythonBridge

/// `outliers profile`: where the memory of one detection goes.
struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Show where the memory of one detection goes, by engine and phase.",
        discussion: """
            Each engine runs in a fresh process, and once more there for Python's own allocations, which tracemalloc \
            traces. The memory of a worker, and of the process of subprocess, stands beside that of this program.
            """)

    @OptionGroup var measurement: MeasurementOptions

    @Option(help: "Engines, separated by commas or repeated; otherwise all of them.")
    var engine: [EngineList] = []

    @Flag(help: "Print the whole result as JSON, with all readings.")
    var json = false

    @Option(help: ArgumentHelp("Draw the memory over time, a panel for each engine.", valueName: "file.png|file.svg"))
    var plot: String?

    func validate() throws {
        if measurement.file == "-" {
            throw ValidationError("standard input can be read once, and each engine reads the samples: give a file")
        }
        if let plot { try Picture.check(plot) }
    }

    func run() throws {
        let chosen = engine.flatMap(\.engines)
        let engines = OutlierDetector.Engine.allCases.filter { chosen.isEmpty || chosen.contains($0) }
        let picture = try plot.map(OutputFile.init)
        var report = ProfileReport()
        do {
            defer { TerminalLine.erase() }
            for (number, engine) in engines.enumerated() {
                if StandardError.isTerminal {
                    TerminalLine.show("profiling \(engine.rawValue), \(number + 1) of \(engines.count)")
                }
                do throws(Failure) {
                    report.add(try profile(engine))
                } catch {
                    // What is wrong with the samples is wrong for all engines.
                    guard error.code == .unavailable, engines.count > 1 else { throw error }
                    report.add(engine, failure: error)
                }
            }
        }
        if let failure = report.onlyFailure { throw failure }
        let text = json ? try report.json() : report.text
        if let picture {
            try Interrupt.python { () throws(Failure) in
                try report.draw(to: picture, python: measurement.python.configuration)
            }
            try picture.commit()
        }
        try StandardOutput.write(text)
    }

    private func profile(_ engine: OutlierDetector.Engine) throws(Failure) -> EngineProfile {
        let own = [EngineProfileCommand._commandName, "--engine=\(engine.rawValue)"]
        let shared = measurement.generating(2_000_000).arguments
        let profile: EngineProfile = try OwnProgram.run(own + shared)
        guard [.embedded, .copying, .worker].contains(engine) else { return profile }
        return profile.traced(by: try OwnProgram.run(own + ["--traced"] + shared))
    }
}

/// What `profile` runs in a process for each engine; prints an ``EngineProfile`` as JSON.
struct EngineProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "profile-engine", shouldDisplay: false)

    @Option var engine: OutlierDetector.Engine

    @Flag var traced = false

    @OptionGroup var measurement: MeasurementOptions

    func run() throws {
        let detection = ProfiledDetection(engine: engine, measurement: measurement, isTraced: traced)
        let profile = try Interrupt.python(isUsed: engine.usesPython) { try detection.run() }
        try StandardOutput.write(try JSON.line(profile))
    }
}

/// Engines as they are named on the command line: `embedded,native`.
struct EngineList: ExpressibleByArgument {
    let engines: [OutlierDetector.Engine]

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        engines = names.compactMap { OutlierDetector.Engine(rawValue: String($0)) }
        guard engines.count == names.count else { return nil }
    }

    static var allValueStrings: [String] { OutlierDetector.Engine.allCases.map(\.rawValue) }
}
