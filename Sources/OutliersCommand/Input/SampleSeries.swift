import Outliers
import PythonBridge

/// Samples of whatever type a file holds, where they are.
protocol SampleSeries: Sendable {
    var count: Int { get }

    func value(at index: Int) -> Double
    /// Calls `progress`, if there is one, as the detection goes on.
    func outliers(by detector: OutlierDetector, progress: DetectionProgress?) throws -> SharedBuffer<Int>
    func moments(by detector: OutlierDetector) throws(OutlierError) -> Moments

    /// How many bytes of memory lie from one sample to the next.
    var pitch: Int { get }
    /// Gives the memory of these samples back to the system, if it is a file's.
    func evict(_ positions: Range<Int>)

    /// The samples' memory, to be shown to Python.
    var shared: any PythonConvertible { get }
}

extension StridedView: SampleSeries where Element: SampleElement {
    func value(at index: Int) -> Double { self[index].doubleValue }

    func outliers(by detector: OutlierDetector, progress: DetectionProgress?) throws -> SharedBuffer<Int> {
        if let progress { try detector.detect(self, progress: progress) } else { try detector.detect(self) }
    }

    func moments(by detector: OutlierDetector) throws(OutlierError) -> Moments {
        try detector.moments(of: self)
    }

    var pitch: Int { stride * MemoryLayout<Element>.stride }

    func evict(_ positions: Range<Int>) {
        guard let last = positions.last else { return }
        buffer.evict(start + positions.lowerBound * stride..<start + last * stride + 1)
    }

    var shared: any PythonConvertible { self }
}
