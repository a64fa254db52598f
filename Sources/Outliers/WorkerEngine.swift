public import PythonBridge
public import PythonWorkers

/// numpy in a process of its own, on Swift's memory: `pyoutliers.detect_into` in one of a pool of workers.
///
/// Samples in a mapped file or in `SharedBuffer(sharedMemoryCapacity:)` are mapped by both processes and copied in neither direction; others are copied once. A
/// crash, or a detection that takes too long, ends the worker alone.
public struct WorkerEngine: OutlierEngine {
    private let detectInto: BlockingWorkerFunction
    private let detectAllocating: BlockingWorkerFunction
    /// The same for whoever is told the progress: the worker has none of a file's pages mapped then.
    private let detectMapped: BlockingWorkerFunction
    private let moments: BlockingWorkerFunction
    private let spareIndices = SpareIndices(isShared: true)
    /// So many indices are reserved ahead: to ask for the memory on the way takes as long as to search some hundred thousand samples.
    private static let mostReserved = SpareIndices.most

    /// An engine on a pool whose workers find `pyoutliers`. Nothing is started: whether it is there turns out at the first detection.
    public init(workers: PythonWorkers) {
        detectInto = workers.function("detect_into", in: "pyoutliers").blocking
        detectAllocating = workers.function("detect_allocating", in: "pyoutliers").blocking
        detectMapped = workers.function("detect_mapped", in: "pyoutliers._mapped").blocking
        moments = workers.function("moments", in: "pyoutliers").blocking
    }

    /// An engine with a pool of its own.
    ///
    /// - Parameters:
    ///   - configuration: Where `pyoutliers` and numpy are.
    ///   - count: How many detections run at a time.
    ///   - timeout: How long one may take; nil for any time.
    public init(python configuration: PythonConfiguration, count: Int = 1, timeout: Duration? = nil) {
        self.init(
            workers: PythonWorkers(
                WorkerConfiguration(
                    count: count, python: PythonExecutable(configuration.environment),
                    searchPaths: configuration.searchPaths, timeout: timeout)))
    }

    /// Finds the outliers. Python writes the indices to memory for as many as there can be, of which only what they need is touched; where
    /// there can be more than a quarter of a million it asks Swift for the memory, exactly as much as they need.
    ///
    /// The memory is used again for as many samples, once the result is given up and if no other process was given it. The engine keeps
    /// what four results need, each of 2 MiB at most.
    /// - Throws: ``OutlierError``. Where squares underflow, so that there are more outliers than there can be, a second call finds them, which
    ///   may take the whole of the time again.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> SharedBuffer<Int> {
        let keywords = options == .standard ? nil : options.keywords
        return try checked(samples, options) { () throws(WorkerError) in
            func allocated() throws(WorkerError) -> SharedBuffer<Int> {
                try detectAllocating(samples, BufferAllocator<Int>(), keywords: keywords)
            }
            let most = options.most(among: samples.count)
            // Where there is no room for all that there can be, there may be for those that there are.
            guard most <= Self.mostReserved, let indices = try? spareIndices.take(most) else { return try allocated() }
            do throws(WorkerError) {
                let count: Int = try detectInto(samples, indices, keywords: keywords)
                // Not after an error: a worker that is being ended may write to them yet.
                spareIndices.keep(indices)
                return try ofWorker { () throws(PythonError) in try indices.first(count) }
            } catch {
                guard case .python(let reason) = error, reason.isForTooFewIndices else { throw error }
                return try allocated()
            }
        }
    }

    /// Finds the outliers, and tells on the way how far that is.
    ///
    /// - Throws: ``OutlierError``; what `progress` throws, the same value.
    public func outliers<Element: SampleElement>(
        in samples: StridedView<Element>, options: DetectionOptions, progress: @escaping DetectionProgress
    ) throws -> SharedBuffer<Int> {
        try reporting(to: progress, options: options) { keywords throws(OutlierError) in
            try checked(samples, options) { () throws(WorkerError) in
                try detectMapped(samples, BufferAllocator<Int>(), keywords: keywords)
            }
        }
    }

    private func checked<Element: SampleElement>(
        _ samples: StridedView<Element>, _ options: DetectionOptions,
        _ detect: () throws(WorkerError) -> SharedBuffer<Int>
    ) throws(OutlierError) -> SharedBuffer<Int> {
        try rethrowing(samples, options) { () throws(WorkerError) in
            let indices = try detect()
            try ofWorker { () throws(PythonError) in try checkIndices(indices, of: samples.count) }
            return indices.readOnly
        }
    }

    /// The mean and the standard deviation.
    ///
    /// - Throws: ``OutlierError``.
    public func moments<Element: SampleElement>(
        of samples: StridedView<Element>, options: DetectionOptions
    ) throws(OutlierError) -> Moments {
        try rethrowing(samples, options) { () throws(WorkerError) in
            let pair: [Double] = try moments(samples, keywords: options.momentsKeywords)
            guard pair.count == 2 else { throw .python(.conversion(expected: "two numbers", found: "\(pair.count)")) }
            return Moments(mean: pair[0], standardDeviation: pair[1])
        }
    }
}

/// Has what is wrong with a worker's answer be the worker's error.
private func ofWorker<R>(_ check: () throws(PythonError) -> R) throws(WorkerError) -> R {
    do throws(PythonError) { return try check() } catch { throw .python(error) }
}

/// Turns what a worker's call threw into the error that names a sample that is not finite, or that says what failed.
private func rethrowing<Element: SampleElement, R>(
    _ samples: StridedView<Element>, _ options: DetectionOptions, _ body: () throws(WorkerError) -> R
) throws(OutlierError) -> R {
    do throws(WorkerError) {
        return try body()
    } catch {
        guard case .python(let error) = error else { throw .worker(error) }
        return try rethrowing(samples, options) { () throws(PythonError) in throw error }
    }
}
