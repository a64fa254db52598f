internal import PythonBridge
internal import Subprocess
internal import SystemPackage

/// The command that runs a script, once all that it names has been found.
struct ScriptLaunch: Sendable {
    /// One argument, with the zero at its end. Source: execve(2), MAX_ARG_STRLEN.
    private static let argumentLimit = 128 << 10

    let script: PythonScript
    let configuration: Configuration

    /// - Parameter isUnbuffered: Whether Python writes each line as it comes.
    init(_ script: PythonScript, arguments: [String], isUnbuffered: Bool) throws(ScriptError) {
        self.script = script
        let python: String
        do throws(PythonError) {
            python = try script.python.locate()
        } catch let failure {
            throw script.error(.notFound("\(failure)"))
        }
        if let directory = script.workingDirectory, !FileSystem.isDirectory(directory) {
            throw script.error(.notFound("the working directory '\(directory)' is not there"))
        }
        var words = isUnbuffered ? ["-u"] : []
        switch script.source {
        case _ where script.isProgram: break
        case .file(let path):
            let base = FileSystem.absolute(script.workingDirectory ?? ".")
            guard FileSystem.isReadable(path.hasPrefix("/") ? path : "\(base)/\(path)") else {
                throw script.error(.notFound("the script is not there"))
            }
            // Not to be taken for an option.
            words += [path.hasPrefix("-") ? "./" + path : path]
        case .code(let code): words += ["-c", code]
        case .module(let name): words += ["-m", name]
        }
        words += arguments
        for word in words {
            guard !word.utf8.contains(0) else {
                throw script.error(.invalidInput("an argument with a zero byte cannot be passed"))
            }
            guard word.utf8.count < Self.argumentLimit else {
                throw script.error(
                    .invalidInput("an argument of \(word.utf8.count) bytes cannot be passed: use the input"))
            }
        }

        let isInherited = script.environment.isInherited
        let environment = isInherited ? Environment.inherit : .custom([:] as [Environment.Key: String])
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in script.environment.changes {
            guard !name.isEmpty, !(name + (value ?? "")).utf8.contains(0), !name.contains("="),
                let key = Environment.Key(rawValue: name)
            else {
                throw script.error(.invalidInput("the environment variable '\(name)' cannot be passed"))
            }
            changes[key] = .some(value)
        }
        var options = PlatformOptions()
        options.createSession = true
        configuration = Configuration(
            executable: .path(FilePath(python)), arguments: Arguments(words),
            environment: environment.updating(changes), workingDirectory: script.workingDirectory.map { FilePath($0) },
            platformOptions: options)
    }

}

extension PythonScript {
    /// What it is called in a message.
    var name: String {
        switch source {
        case .file(let path): path
        case .code: "-c"
        case .module(let name): "-m \(name)"
        }
    }

    func error(
        _ reason: ScriptError.Reason, ending: ProcessEnding? = nil, output: ScriptOutput = ScriptOutput()
    ) -> ScriptError {
        ScriptError(script: name, reason: reason, ending: ending, output: output)
    }
}
