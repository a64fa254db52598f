internal import FoundationEssentials
public import PythonBridge
internal import PythonWorkers

/// numpy in a process that is started for each detection: `python -m pyoutliers`. The samples go there, and the indices come back, as
/// JSON text, which the ledger counts as copied.
///
/// The process may be of any version of Python, and a crash ends it alone. Each call blocks its thread until the process has ended.
/// Samples that are left out travel as Python's `json` reads them: `NaN`, `Infinity` and `-Infinity`.
public struct SubprocessEngine: OutlierEngine {
    private let script: PythonScript
    private let timeout: Duration?

    /// Finds the python. Nothing is started: whether `pyoutliers` and numpy are there turns out at the first detection.
    ///
    /// - Parameters:
    ///   - configuration: Where `pyoutliers` and numpy are.
    ///   - timeout: How long a detection may take, from its samples on; nil for any time. The error that it ends with
    ///     (`ScriptError.Reason.timedOut`) names what of that was left for the process.
    /// - Throws: ``OutlierError/python(_:)`` when the environment is none, or a search path cannot be passed on.
    public init(python configuration: PythonConfiguration, timeout: Duration? = nil) throws(OutlierError) {
        self.timeout = timeout
        do throws(PythonError) {
            let python = PythonExecutable.program(try PythonExecutable(configuration.environment).locate())
            // Not in the working directory, in which a file such as json.py would come before Python's own.
            script = PythonScript(
                .module("pyoutliers"), python: python, workingDirectory: "/", environment: try configuration.variables,
                outputLimit: .max)
        } catch {
            throw .python(error)
        }
    }

    /// Finds the outliers in a process.
    ///
    /// - Throws: ``OutlierError``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        let reply = try reply(to: samples, options)
        do throws(PythonError) {
            try checkIndices(reply.indices, of: samples.count)
        } catch {
            throw .python(error)
        }
        return SharedBuffer(sharing: reply.indices)
    }

    /// The mean and the standard deviation, from a process.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        let reply = try reply(to: samples, options)
        return Moments(mean: reply.mean, standardDeviation: reply.standardDeviation)
    }

    private struct Reply: Decodable {
        let indices: [Int]
        let mean: Double
        let standardDeviation: Double
    }

    private func reply<Element: SampleElement>(
        to samples: StridedView<Element>, _ options: DetectionOptions
    ) throws(OutlierError) -> Reply {
        let deadline = Deadline(after: timeout)
        let request = try request(samples, options, until: deadline)
        do throws(ScriptError) {
            let remaining = deadline.instant.map { max(.zero, $0 - .now) }
            MemoryLedger.countCopy(byteCount: request.count)
            let output = try script.runAndWait(input: .bytes(request), timeout: remaining)
            MemoryLedger.countCopy(byteCount: output.standardOutputBytes.count)
            return try script.reply(output)
        } catch {
            throw .script(error)
        }
    }

    /// Samples between two looks at the clock.
    private static let step = 1 << 16

    /// The text for the process; nothing when the deadline has passed, for a process that has no time to read it.
    private func request<Element: SampleElement>(
        _ samples: StridedView<Element>, _ options: DetectionOptions, until deadline: Deadline
    ) throws(OutlierError) -> [UInt8] {
        var text = "{\"threshold\":\(options.threshold),\"nan\":\"\(options.nonFinite.rawValue)\",\"samples\":["
        // As many as a double may have, with a comma; only what is touched is memory.
        text.reserveCapacity(text.utf8.count + 25 * samples.count)
        for (index, sample) in samples.enumerated() {
            if index % Self.step == 0, deadline.hasPassed { return [] }
            let value = sample.doubleValue
            if !value.isFinite, options.nonFinite == .raise { throw .nonFiniteSample(index: index, value: value) }
            if index > 0 { text += "," }
            text += value.isFinite ? value.description : value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
        }
        text += "]}"
        return Array(text.utf8)
    }
}

extension PythonConfiguration {
    /// The environment variables with which a process of its own is configured like this. Source: "Command line and environment" in
    /// Python's documentation.
    fileprivate var variables: ScriptEnvironment {
        get throws(PythonError) {
            if let path = searchPaths.first(where: { $0.contains(":") }) {
                throw .environment("the search path '\(path)' cannot be passed to another process: it has a colon")
            }
            let inherited = ProcessInfo.processInfo.environment
            var paths = searchPaths.map(FileSystem.absolute)
            if usesEnvironmentVariables, let path = inherited["PYTHONPATH"] { paths.append(path) }
            var variables = ["PYTHONPATH": paths.joined(separator: ":")]
            variables["PYTHONUTF8"] = "1"
            variables["PYTHONHOME"] = home
            if !usesUserSite { variables["PYTHONNOUSERSITE"] = "1" }
            var environment = ScriptEnvironment.inherited
            if !usesEnvironmentVariables {
                environment = environment.removing(inherited.keys.filter { $0.hasPrefix("PYTHON") })
            }
            return environment.setting(variables)
        }
    }
}
