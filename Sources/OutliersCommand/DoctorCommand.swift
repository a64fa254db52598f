import ArgumentParser
import PythonBridge
import PythonWorkers

/// `outliers doctor`: what the program found, and what is wrong.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Show which Python, numpy and pyoutliers are used, and what is wrong.")

    @OptionGroup var python: PythonOptions

    func run() throws {
        var report = Report()
        let isUsable = Interrupt.python { report.examine(python.configuration) }
        try StandardOutput.write(report.text)
        if !isUsable { throw Failure(.unavailable, "Python cannot be used; see 'wrong' above") }
    }
}

extension DoctorCommand {
    private struct Report {
        private(set) var text = ""

        private mutating func line(_ label: String, _ value: String) {
            text += label + String(repeating: " ", count: max(1, 14 - label.count)) + value + "\n"
        }

        /// Returns whether everything that a detection needs is there.
        mutating func examine(_ configuration: PythonConfiguration) -> Bool {
            line("libpython", "\(PythonVersion.linked), \(PythonInterpreter.libraryPath ?? "of unknown path")")
            do throws(PythonError) {
                let python = try PythonInterpreter.start(configuration)
                let environment = python.environment
                line("environment", "\(environment.directory ?? "none") (\(environment.origin))")
                line("python", "\(environment.executable ?? "not found")")
                let version: String = try python.evaluate("__import__('sys').version.split()[0]")
                line("version", version)
                var isUsable = examine("numpy", python, advice: installing("numpy", environment))
                let advice =
                    "\(installing("./pyoutliers", environment)) from the checkout, or run the program inside it"
                isUsable = examine("pyoutliers", python, advice: advice) && isUsable
                _ = examine(
                    "matplotlib", python, label: "without",
                    advice: "only --plot needs it: \(installing("matplotlib", environment))")
                return isUsable
            } catch {
                line("wrong", "\(error)".firstLine + advice(error, configuration))
                return false
            }
        }

        /// What an environment is good for that cannot be used in this process: in one of its own Python may be of any version.
        private func advice(_ error: PythonError, _ configuration: PythonConfiguration) -> String {
            guard case .environment = error, (try? PythonExecutable(configuration.environment).locate()) != nil else {
                return ""
            }
            return "; --engine worker and subprocess can use this one"
        }

        private func installing(_ package: String, _ environment: PythonEnvironment.Location) -> String {
            let python = "'\(environment.executable ?? "python\(PythonVersion.linked)")'"
            // A system's own Python mostly refuses to be installed to (PEP 668).
            if environment.directory == nil {
                return "\(python) -m venv .venv && .venv/bin/python -m pip install \(package)"
            }
            return "\(python) -m pip install \(package)"
        }

        private mutating func examine(
            _ module: String, _ python: PythonInterpreter, label: String = "wrong", advice: String
        ) -> Bool {
            do throws(PythonError) {
                let object = try python.module(module)
                let version: String = try python.function("str", in: "builtins")(object.attribute("__version__"))
                let path: String = try python.function("str", in: "builtins")(object.attribute("__file__"))
                line(module, "\(version), \(path)")
                return true
            } catch {
                guard case .exception(let exception) = error else {
                    line(label, "\(module): \(error)".firstLine)
                    return false
                }
                // It may be there, and lack numpy, which has a line of its own.
                let lacksNumpy = module != "numpy" && exception.message.contains("'numpy'")
                line(label, "\(module): \(exception.summary)" + (lacksNumpy ? "" : ": \(advice)"))
                return false
            }
        }
    }
}
