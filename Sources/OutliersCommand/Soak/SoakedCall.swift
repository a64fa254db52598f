import Logging
import Outliers
import PythonBridge
import PythonWorkers

/// What is called over and over: a detection, or a Python function of two buffers.
struct SoakedCall {
    /// As the report has it.
    let name: String
    let samples: Int
    let probe: SoakProbe
    let call: () throws -> Void

    /// A detection by an engine.
    init(
        engine: OutlierDetector.Engine, in input: MeasurementInput, options: DetectionOptions, python: PythonOptions
    ) throws {
        let pool = engine == .worker ? python.pool(count: 1) : nil
        let detector =
            if let pool {
                OutlierDetector(engine: WorkerEngine(workers: pool), options: options)
            } else {
                try python.detector(engine, options: options)
            }
        name = engine.rawValue
        samples = input.samples.series.count
        do {
            let interpreter = engine.usesPython ? try PythonInterpreter.start(python.configuration) : nil
            probe = try SoakProbe(python: interpreter, pool: pool)
        } catch {
            throw Failure(error, input: "pyoutliers")
        }
        call = {
            do {
                _ = try input.samples.series.outliers(by: detector, progress: nil)
            } catch let error as OutlierError {
                throw Failure(error, input: input.name, position: input.samples.position)
            }
        }
    }

    /// A Python function: of the samples, which it can read, and of as many integers, which it can write.
    ///
    /// - Throws: ``Failure``; what the function raises is bad data.
    init(_ function: FunctionName, in input: MeasurementInput, python: PythonConfiguration) throws(Failure) {
        name = function.text
        samples = input.samples.series.count
        let callable: PythonFunction
        let indices: SharedBuffer<Int>
        do throws(PythonError) {
            let interpreter = try PythonInterpreter.start(python)
            probe = try SoakProbe(python: interpreter, pool: nil)
            callable = try function.find(in: interpreter)
            indices = try SharedBuffer(capacity: samples)
        } catch {
            throw Failure(.unavailable, "\(function.text): \("\(error)".firstLine)")
        }
        call = {
            do throws(PythonError) {
                let _: PythonObject = try callable.call([input.samples.series.shared, indices])
            } catch {
                throw Failure(error, of: function)
            }
        }
    }
}

/// A Python function as it is named on the command line: `module:function`, or `file.py:function`.
struct FunctionName {
    let text: String
    private let module: String
    private let function: String

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        self.text = text
        module = String(text[..<colon])
        function = String(text[text.index(after: colon)...])
        guard !module.isEmpty, !function.isEmpty else { return nil }
    }

    func find(in python: PythonInterpreter) throws(PythonError) -> PythonFunction {
        module.hasSuffix(".py")
            ? try python.function(function, inScript: module) : try python.function(function, in: module)
    }
}

extension Failure {
    /// What the call of a function that was named on the command line failed of.
    init(_ error: PythonError, of function: FunctionName) {
        log.debug("\(error)")
        if case .exception(let exception) = error {
            self.init(.badData, "\(function.text) raised \(exception.summary)")
        } else {
            self.init(error, input: function.text)
        }
    }
}
