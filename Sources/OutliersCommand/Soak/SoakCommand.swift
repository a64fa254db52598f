import ArgumentParser
import Outliers
import PythonBridge

/// `outliers soak`: whether a call leaks.
struct SoakCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak", abstract: "Repeat the same call, and tell whether it leaks memory.",
        discussion: """
            Counted is what is resident of this process and of its worker, without the pages of files, and what malloc and \
            Python have handed out, exporters and open descriptors. The first tenth of the calls is warm-up; the plateau is \
            the median from there to three tenths. It is a leak when any of these grows steadily: after the warm-up its \
            least-squares line rises by 256 KiB at least (of malloc 64 KiB, a thousand blocks, 16 exporters or \
            descriptors) and by three standard errors, and from each quarter of the readings to the next the median rises \
            by at least half of what the line does. Exit code 70 for a leak, otherwise 0. Ctrl-C ends it with what was \
            found so far, and a second one at once.
            """)

    @OptionGroup var measurement: MeasurementOptions

    @Option(help: "What runs the detection (default: embedded).")
    var engine: OutlierDetector.Engine?

    @Option(
        help: ArgumentHelp(
            "Calls this Python function instead, with the samples and as many integers to write to.",
            valueName: "module:function|file.py:function"))
    var call: String?

    @Option(parsing: .unconditional, help: "How long, with the readings in between (default: 60).")
    var seconds: Double?

    @Option(parsing: .unconditional, help: "How many calls, instead of seconds.")
    var calls: Int?

    @Flag(
        help: """
            Gives garbage and free heap back to the system after a tenth of the calls (after half a minute at the latest) and \
            at the end, and tells a leak from memory that is only kept.
            """)
    var trim = false

    @Flag(help: "Print the whole result as JSON.")
    var json = false

    @Option(help: ArgumentHelp("Draw resident memory over the calls.", valueName: "file.png|file.svg"))
    var plot: String?

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds < 1e9) {
            throw ValidationError("--seconds takes seconds, more than 0")
        }
        if let calls, calls < 1 { throw ValidationError("--calls takes a number from 1 up") }
        if calls != nil && seconds != nil { throw ValidationError("--calls and --seconds exclude each other") }
        if let call, FunctionName(call) == nil {
            throw ValidationError("--call takes module:function or file.py:function, not '\(call)'")
        }
        if let engine, engine != .embedded, call != nil {
            throw ValidationError("--call is for --engine embedded, not \(engine.rawValue)")
        }
        if let plot { try Picture.check(plot) }
    }

    func run() throws {
        let engine = engine ?? .embedded
        let input = try measurement.input(for: engine)
        let python = measurement.python
        let function = call.flatMap(FunctionName.init)
        // A function may be in a module that lies here.
        let configuration = function == nil ? python.configuration : python.configuration(searching: ".")
        // What cannot be written is told before the work.
        let picture = try plot.map(OutputFile.init)
        let soaked = try Interrupt.python(isUsed: engine.usesPython) {
            if let function {
                try SoakedCall(function, in: input, python: configuration)
            } else {
                try SoakedCall(engine: engine, in: input, options: measurement.options, python: python)
            }
        }
        let isLeak = try Interrupt.asking { isAsked in
            let record = try Interrupt.python(isUsed: engine.usesPython) {
                let length = calls.map { Soak.Length.calls($0) } ?? .seconds(seconds ?? 60)
                let soak = Soak(length: length, trims: trim, probe: soaked.probe, call: soaked.call)
                defer { TerminalLine.erase() }
                return try soak.run(isAsked: isAsked, show: StandardError.isTerminal ? { show($0, soaked.name) } : nil)
            }
            let report = SoakReport(call: soaked.name, samples: soaked.samples, record: record)
            if let picture {
                try Interrupt.python { () throws(Failure) in
                    try SoakPlot(report).draw(to: picture, python: configuration)
                }
                try picture.commit()
            }
            try StandardOutput.write(json ? report.json() : report.text)
            return report.verdict.isLeak ? report.verdict.text : nil
        }
        if let isLeak { throw Failure(.bug, "\(soaked.name): \(isLeak)") }
    }

    private func show(_ progress: SoakProgress, _ name: String) {
        let rate = Amount.number((Double(progress.calls) / progress.seconds).rounded())
        TerminalLine.show(
            "\(name)  \(Int(progress.seconds)) s  \(Amount.number(progress.calls)) calls  \(rate)/s  "
                + "\(Amount.mebibytes(progress.resident))  \(Amount.change(progress.resident - progress.start))")
    }
}
