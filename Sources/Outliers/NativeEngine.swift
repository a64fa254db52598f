import OutlierDetection
public import PythonBridge

/// The detection in Swift, without any Python: two passes over the samples, with SIMD, on one thread or on several.
///
/// The answer is the same to the last bit on any number of threads. Threads are started for a call, and have ended when it returns.
public struct NativeEngine: OutlierEngine {
    /// An engine.
    public init() {}

    /// Finds the outliers.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try outliers(in: samples, options: options) { _ in }
    }

    /// Finds the outliers, and tells on the way how far that is.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``; what `progress` throws, the same value.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        try reporting(to: progress) { progress throws(OutlierError) in
            var count = ProgressCount(progress, total: 2 * samples.count)
            let indices = try outliers(in: samples, options: options) { added throws(OutlierError) in
                try count.add(added)
            }
            try count.finish()
            return indices
        }
    }

    /// Finds the outliers, and writes their indices into memory that is there already: for many calls, none of which allocates it.
    ///
    /// ```swift
    /// let indices = try SharedBuffer<Int>(capacity: samples.count / 4 + 1)  // enough for a threshold of 2
    /// let count = try engine.outliers(in: samples, into: indices, options: .standard)
    /// ```
    ///
    /// - Parameters:
    ///   - samples: The samples.
    ///   - indices: Other memory than the samples. The indices are written from its start on, ascending, as many as fit; by Chebyshev's
    ///     inequality fewer than `samples.count / threshold²` are outliers.
    ///   - options: What counts as an outlier.
    /// - Precondition: The memory of `indices` is not an array's nor a read-only mapping.
    /// - Returns: How many outliers there are, which may be more than fit.
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, into indices: SharedBuffer<Int>, options: DetectionOptions
    ) throws(OutlierError) -> Int {
        try unsafe indices.withUnsafeMutableBufferPointer { indices throws(OutlierError) in
            try unsafe Detection(options).search(samples, threshold: options.threshold, into: indices) {
                _ throws(OutlierError) in
            }
        }
    }

    /// - Parameter passed: Is told how many samples each block has.
    private func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, passed: (Int) throws(OutlierError) -> Void
    ) throws(OutlierError) -> SharedBuffer<Int> {
        var indices = GrowingBuffer<Int>()
        try Detection(options).search(samples, threshold: options.threshold, passed: passed) {
            found throws(OutlierError) in
            try allocating { () throws(PythonError) in try indices.append(found) }
        }
        return try allocating { () throws(PythonError) in try indices.finish() }
    }

    /// The mean and the standard deviation.
    ///
    /// - Throws: ``OutlierError/nonFiniteSample(index:value:)``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        let (mean, standardDeviation) = try Detection(options).moments(of: samples) { _ throws(OutlierError) in }
        return Moments(mean: mean, standardDeviation: standardDeviation)
    }
}

private func allocating<R>(_ body: () throws(PythonError) -> R) throws(OutlierError) -> R {
    do throws(PythonError) {
        return try body()
    } catch {
        throw .python(error)
    }
}

extension Detection<OutlierError> {
    fileprivate init(_ options: DetectionOptions) {
        self.init(
            threads: options.threads,
            refuse: options.nonFinite == .omit ? nil : { .nonFiniteSample(index: $0, value: $1) })
    }
}

extension StridedView: SampleSource where Element: SampleElement {
    package func withDoubles<R>(_ body: (UnsafeRawPointer) -> R) -> R? {
        guard Element.self == Double.self, stride == 1 else { return nil }
        return unsafe buffer.withUnsafeBufferPointer { unsafe $0.baseAddress.map { unsafe body($0 + start) } }
    }

    // Unspecialized, a sample takes some 7 ns, and otherwise less than one.
    @specialized(where Element == Double)
    @specialized(where Element == Float)
    @specialized(where Element == Int)
    @specialized(where Element == Int64)
    @specialized(where Element == Int32)
    @specialized(where Element == Int16)
    @specialized(where Element == Int8)
    @specialized(where Element == UInt)
    @specialized(where Element == UInt64)
    @specialized(where Element == UInt32)
    @specialized(where Element == UInt16)
    @specialized(where Element == UInt8)
    package func convert(_ positions: Range<Int>, to block: UnsafeMutablePointer<Double>) {
        let size = MemoryLayout<Element>.stride
        unsafe buffer.withUnsafeBufferPointer { elements in
            guard let base = unsafe UnsafeRawPointer(elements.baseAddress) else { return }
            unsafe OutlierDetection.convert(
                from: base + (start + positions.lowerBound * stride) * size, stride: stride * size, size: size,
                count: positions.count, to: block
            ) { unsafe Element.element(at: $0).doubleValue }
        }
    }
}
