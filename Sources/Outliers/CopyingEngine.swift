public import PythonBridge

/// numpy in this process, over lists: `pyoutliers.detect`, as the C API is used without shared memory. Each sample becomes a Python
/// object on the way in, and each index on the way out.
///
/// A crash in Python or in an extension ends the process.
public struct CopyingEngine: OutlierEngine {
    private let detect: PythonFunction
    private let embedded: EmbeddedEngine

    /// Looks the functions up.
    ///
    /// - Throws: ``OutlierError/python(_:)`` when `pyoutliers`, or numpy, cannot be imported.
    public init(python: PythonInterpreter) throws(OutlierError) {
        do throws(PythonError) {
            detect = try python.function("detect", in: "pyoutliers")
        } catch {
            throw .python(error)
        }
        embedded = try EmbeddedEngine(python: python)
    }

    /// Finds the outliers in a copy of the samples.
    ///
    /// - Throws: ``OutlierError``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try outliers(in: samples, options: options, keywords: options.keywords)
    }

    /// Finds the outliers in a copy of the samples, and tells on the way how far that is.
    ///
    /// - Throws: ``OutlierError``; what `progress` throws, the same value.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        try reporting(to: progress, options: options) { keywords throws(OutlierError) in
            try outliers(in: samples, options: options, keywords: keywords)
        }
    }

    private func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, keywords: PythonKeywords
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try rethrowing(samples, options) { () throws(PythonError) in
            let indices: [Int] = try detect(samples.map { $0.doubleValue }, keywords: keywords)
            try checkIndices(indices, of: samples.count)
            return SharedBuffer(sharing: indices)
        }
    }

    /// The mean and the standard deviation; for these the samples are not copied.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        try embedded.moments(of: samples, options: options)
    }
}
