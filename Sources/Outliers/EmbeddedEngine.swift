public import PythonBridge

/// numpy in this process, on Swift's memory: `pyoutliers.detect_into`. Nothing is copied in either direction.
///
/// A crash in Python or in an extension ends the process.
public struct EmbeddedEngine: OutlierEngine {
    private let detectInto: PythonFunction
    private let detectAllocating: PythonFunction
    private let moments: PythonFunction
    private let spareIndices = SpareIndices(isShared: false)

    /// Looks the functions up.
    ///
    /// - Throws: ``OutlierError/python(_:)`` when `pyoutliers`, or numpy, cannot be imported.
    public init(python: PythonInterpreter) throws(OutlierError) {
        do throws(PythonError) {
            detectInto = try python.function("detect_into", in: "pyoutliers")
            detectAllocating = try python.function("detect_allocating", in: "pyoutliers")
            moments = try python.function("moments", in: "pyoutliers")
        } catch {
            throw .python(error)
        }
    }

    /// Finds the outliers. Python writes the indices to memory for as many as there can be, of which only what they need is touched; for a
    /// series of many millions it asks Swift for the memory, exactly as much as they need.
    ///
    /// The memory is used again for as many samples, once neither Swift nor Python has the result any more. The engine keeps what four
    /// results need, each of 2 MiB at most.
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
            let indices = try indices(of: samples, options.most(among: samples.count), keywords)
            try checkIndices(indices, of: samples.count)
            return indices.readOnly
        }
    }

    /// So many indices are reserved ahead: 32 MiB of addresses.
    private static let mostReserved = 1 << 22

    private func indices<Element: SampleElement>(
        of samples: StridedView<Element>, _ most: Int, _ keywords: PythonKeywords?
    ) throws(PythonError) -> SharedBuffer<Int> {
        func allocated() throws(PythonError) -> SharedBuffer<Int> {
            try detectAllocating(samples, BufferAllocator<Int>(), keywords: keywords)
        }
        guard most <= Self.mostReserved else { return try allocated() }
        let indices = try spareIndices.take(most)
        do throws(PythonError) {
            let count: Int = try detectInto(samples, indices, keywords: keywords)
            // Not after an error, whose traceback may have it yet.
            spareIndices.keep(indices)
            return try indices.first(count)
        } catch {
            guard error.isForTooFewIndices else { throw error }
            return try allocated()
        }
    }

    /// The mean and the standard deviation.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        try rethrowing(samples, options) { () throws(PythonError) in
            let pair: [Double] = try moments(samples, keywords: options.momentsKeywords)
            guard pair.count == 2 else { throw .conversion(expected: "two numbers", found: "\(pair.count)") }
            return Moments(mean: pair[0], standardDeviation: pair[1])
        }
    }
}

extension PythonError {
    /// Whether there were more outliers than there can be: squares that underflow make the deviation too small for Chebyshev.
    var isForTooFewIndices: Bool {
        guard case .exception(let exception) = self else { return false }
        return exception.message.hasPrefix("indices is too small")
    }
}

extension SharedBuffer<Int> {
    /// The indices that were written.
    ///
    /// - Throws: `PythonError.conversion(expected:found:)` when Python says a number that cannot be.
    func first(_ count: Int) throws(PythonError) -> SharedBuffer {
        guard (0...self.count).contains(count) else {
            throw .conversion(expected: "a count from 0 to \(self.count)", found: "\(count)")
        }
        return extracting(0..<count)
    }
}

extension DetectionOptions {
    /// How many outliers there can be, and one more for rounding. Source: Chebyshev's inequality.
    func most(among count: Int) -> Int {
        threshold > 1 ? Int(Double(count) / (threshold * threshold)) + 1 : count
    }

    var keywords: PythonKeywords { PythonKeywords(entries) }

    /// The keywords, with what a detection is to tell its progress to.
    func keywords(progress: PythonCallback) -> PythonKeywords {
        PythonKeywords(entries + [(name: "progress", value: progress)])
    }

    /// The keywords of `pyoutliers.moments`.
    var momentsKeywords: PythonKeywords { PythonKeywords(momentsEntries) }

    private typealias Entry = (name: String, value: any PythonConvertible)

    private var entries: [Entry] { [(name: "threshold", value: threshold)] + momentsEntries }

    private var momentsEntries: [Entry] {
        let nan: Entry = (name: "nan", value: nonFinite.rawValue)
        return threads == 1 ? [nan] : [nan, (name: "threads", value: threads)]
    }
}

/// - Throws: `PythonError.conversion(expected:found:)` unless the indices are those of samples, ascending.
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
