import ArgumentParser
import Glibc
import Logging

/// The program `outliers`.
@main
struct OutliersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outliers",
        abstract: "Find the samples that are far from the mean, with numpy on Swift's memory.",
        discussion: """
            Results go to standard output, everything else to standard error. Exit codes: 0; 64 wrong usage; 65 bad data; \
            66 no such input; 69 Python, numpy or pyoutliers not usable; 70 a bug; 73 the output cannot be written; \
            75 timed out. OUTLIERS_LOG_LEVEL=debug logs what happens.
            """,
        version: "0.1.0",
        subcommands: [
            DetectCommand.self, DemoCommand.self, DoctorCommand.self, BenchCommand.self, ProfileCommand.self,
            SoakCommand.self, MeasureDetectionCommand.self, EngineProfileCommand.self,
        ]
    )

    /// Every failure ends here, as one line and an exit code.
    static func main() {
        Interrupt.start()
        // A file that may not grow is an error, as a full disk is. Source: setrlimit(2), `RLIMIT_FSIZE`.
        signal(SIGXFSZ, SIG_IGN)
        startLogging()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            fail(failure)
        } catch {
            let code = exitCode(for: error)
            if code == .success {
                do throws(Failure) {
                    try StandardOutput.write(fullMessage(for: error) + "\n")
                } catch {
                    fail(error)
                }
                return
            }
            // ArgumentParser adds the usage on further lines; --help shows it when asked for.
            let message = message(for: error).firstLine
            fail(Failure(code == .validationFailure ? .usage : .bug, "\(message) (see '\(help)')"))
        }
    }

    /// How to get the help of the command that was given.
    private static var help: String {
        let given = CommandLine.arguments.dropFirst().first
        let command = configuration.subcommands.map { $0.configuration.commandName }.first { $0 == given } ?? nil
        return "outliers \(command.map { "\($0) " } ?? "")--help"
    }

    private static func fail(_ failure: Failure) -> Never {
        Interrupt.check()
        StandardError.write("outliers: \(failure.message)\n")
        Glibc.exit(failure.code.rawValue)
    }

    private static func startLogging() {
        let level = unsafe getenv("OUTLIERS_LOG_LEVEL").flatMap { unsafe Logger.Level(rawValue: String(cString: $0)) }
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level ?? .warning
            return handler
        }
    }
}

/// The program's log, on standard error.
let log = Logger(label: "outliers")
