public import PythonBridge

/// Finds the samples that are further than some standard deviations from the mean.
///
/// ```swift
/// let outliers = try OutlierDetector(engine: .embedded).detect(measurements)
/// ```
public struct OutlierDetector: Sendable {
    /// The engines by name.
    public enum Engine: String, Sendable, CaseIterable {
        /// numpy in this process, on Swift's memory: the default.
        case embedded
        /// numpy in this process, over lists.
        case copying
        /// numpy in a process of its own, on Swift's memory.
        case worker
        /// numpy in a process that is started for each detection, over JSON.
        case subprocess
        /// Swift, and a loop in C, without Python.
        case native

        /// Whether the engine runs in this process's Python.
        public var usesPython: Bool { [.embedded, .copying].contains(self) }
    }

    /// What runs the detection.
    public let engine: any OutlierEngine
    /// What counts as an outlier.
    public let options: DetectionOptions

    /// A detector that runs on one of the engines by name.
    ///
    /// - Parameters:
    ///   - engine: The engine.
    ///   - options: What counts as an outlier.
    ///   - python: How to start Python, where the engine needs it.
    ///   - timeout: How long a detection in a process of its own may take before the process is ended; nil for any time. An engine in this
    ///     process takes its time, which the progress of a detection can end.
    /// - Throws: ``OutlierError/python(_:)`` when Python does not start, or `pyoutliers` or numpy cannot be imported, which
    ///   ``Engine/worker`` and ``Engine/subprocess`` find out later.
    public init(
        engine: Engine = .embedded, options: DetectionOptions = .standard, python: PythonConfiguration = .init(),
        timeout: Duration? = nil
    ) throws(OutlierError) {
        self.init(engine: try engine.make(python: python, timeout: timeout), options: options)
    }

    /// A detector that runs on an engine of your own.
    public init(engine: any OutlierEngine, options: DetectionOptions = .standard) {
        self.engine = engine
        self.options = options
    }

    /// The indices of the outliers in an array, which the engine uses where it is.
    ///
    /// The indices are copied from the memory that Python wrote into an array; ``detect(_:)-(StridedView<Element>)`` does not.
    /// - Throws: ``OutlierError``.
    public func detect<Element: SampleElement>(_ samples: [Element]) throws(OutlierError) -> [Int] {
        Array(try detect(StridedView(SharedBuffer(sharing: samples))))
    }

    /// The indices of the outliers in shared memory, in the memory that the engine wrote them to.
    ///
    /// - Throws: ``OutlierError``.
    public func detect<Element: SampleElement>(
        _ samples: StridedView<Element>
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try engine.outliers(in: samples, options: options)
    }

    /// The indices of the outliers in an array, told on the way how far that is.
    ///
    /// ```swift
    /// let outliers = try detector.detect(measurements) { done, total in print("\(done) of \(total)") }
    /// ```
    ///
    /// - Throws: ``OutlierError``; what `progress` throws, the same value.
    public func detect<Element: SampleElement>(
        _ samples: [Element], progress: @escaping DetectionProgress
    ) throws -> [Int] {
        Array(try detect(StridedView(SharedBuffer(sharing: samples)), progress: progress))
    }

    /// The indices of the outliers in shared memory, told on the way how far that is.
    ///
    /// - Throws: ``OutlierError``; what `progress` throws, the same value.
    public func detect<Element: SampleElement>(
        _ samples: StridedView<Element>, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        try engine.outliers(in: samples, options: options, progress: progress)
    }

    /// The mean and the standard deviation that ``detect(_:)-(StridedView<Element>)`` measures by.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(of samples: StridedView<Element>) throws(OutlierError) -> Moments {
        try engine.moments(of: samples, options: options)
    }
}

extension OutlierDetector.Engine {
    func make(
        python configuration: PythonConfiguration, timeout: Duration?
    ) throws(OutlierError) -> any OutlierEngine {
        switch self {
        case .native: return NativeEngine()
        case .subprocess: return try SubprocessEngine(python: configuration, timeout: timeout)
        case .worker: return WorkerEngine(python: configuration, timeout: timeout)
        case .embedded: return try EmbeddedEngine(python: try Self.start(configuration))
        case .copying: return try CopyingEngine(python: try Self.start(configuration))
        }
    }

    private static func start(_ configuration: PythonConfiguration) throws(OutlierError) -> PythonInterpreter {
        do throws(PythonError) {
            return try PythonInterpreter.start(configuration)
        } catch {
            throw .python(error)
        }
    }
}
