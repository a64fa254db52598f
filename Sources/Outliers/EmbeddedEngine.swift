public import PythonBridge

/// numpy in this process, on Swift's memory: `pyoutliers.detect_allocating`. Nothing is copied in either direction.
///
/// A crash in Python or in an extension ends the process.
public struct EmbeddedEngine: OutlierEngine {
    private let detect: PythonFunction
    private let moments: PythonFunction

    /// Looks the functions up.
    ///
    /// - Throws: ``OutlierError/python(_:)`` when `pyoutliers`, or numpy, cannot be imported.
    public init(python: PythonInterpreter) throws(OutlierError) {
        do throws(PythonError) {
            detect = try python.function("detect_allocating", in: "pyoutliers")
            moments = try python.function("moments", in: "pyoutliers")
        } catch {
            throw .python(error)
        }
    }

    /// Finds the outliers; Python asks Swift for the memory of the indices, exactly as much as they need.
    ///
    /// - Throws: ``OutlierError``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try outliers(in: samples, options: options, keywords: options == .standard ? nil : options.keywords)
    }

    /// Finds the outliers, and tells on the way how far that is.
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
        in samples: StridedView<Element>, options: DetectionOptions, keywords: PythonKeywords?
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try rethrowing(samples, options) { () throws(PythonError) in
            let indices: SharedBuffer<Int> = try detect(samples, BufferAllocator<Int>(), keywords: keywords)
            try checkIndices(indices, of: samples.count)
            return indices.readOnly
        }
    }

    /// The mean and the standard deviation.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        try rethrowing(samples, options) { () throws(PythonError) in
            let pair: [Double] = try moments(samples, keywords: ["nan": options.nonFinite.rawValue])
            guard pair.count == 2 else { throw .conversion(expected: "two numbers", found: "\(pair.count)") }
            return Moments(mean: pair[0], standardDeviation: pair[1])
        }
    }
}

extension DetectionOptions {
    var keywords: PythonKeywords { ["threshold": threshold, "nan": nonFinite.rawValue] }
}

/// - Throws: ``PythonError/conversion(expected:found:)`` unless the indices are those of samples, ascending.
func checkIndices(_ indices: some Collection<Int>, of count: Int) throws(PythonError) {
    var next = 0
    for index in indices {
        guard index >= next, index < count else {
            throw .conversion(expected: "ascending indices of \(count) samples", found: "the index \(index)")
        }
        next = index + 1
    }
}

/// Turns what Python raised for a sample that is not finite into the error that names it.
func rethrowing<Element: SampleElement, R>(
    _ samples: StridedView<Element>, _ options: DetectionOptions, _ body: () throws(PythonError) -> R
) throws(OutlierError) -> R {
    do throws(PythonError) {
        return try body()
    } catch {
        if case .exception(let exception) = error, exception.type == "ValueError", options.nonFinite == .raise,
            let index = samples.firstIndex(where: { !$0.doubleValue.isFinite })
        {
            throw .nonFiniteSample(index: index, value: samples[index].doubleValue)
        }
        throw .python(error)
    }
}
