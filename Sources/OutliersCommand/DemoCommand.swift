import ArgumentParser
import Outliers
import PythonBridge

/// `outliers demo`: the outliers of generated data, which are always the same.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Find the outliers of generated test data: prints [7, 113, 835].")

    @Option(help: "What runs the detection.")
    var engine: OutlierDetector.Engine = .embedded

    @OptionGroup var python: PythonOptions

    func run() throws {
        do {
            let outliers = try Interrupt.python(isUsed: engine.usesPython) {
                try python.detector(engine).detect(makeTestData())
            }
            try StandardOutput.write("\(outliers)\n")
        } catch let error as OutlierError {
            throw Failure(error, input: "the test data") { "sample \($0)" }
        }
    }
}
