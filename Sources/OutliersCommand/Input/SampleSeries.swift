import Outliers
import PythonBridge

/// Samples of whatever type a file holds, where they are.
protocol SampleSeries: Sendable {
    var count: Int { get }

    func value(at index: Int) -> Double
    func outliers(by detector: OutlierDetector, progress: Progress) throws -> SharedBuffer<Int>
    func moments(by detector: OutlierDetector) throws(OutlierError) -> Moments

    /// The samples' memory, to be shown to Python.
    var shared: any PythonConvertible { get }
}

extension StridedView: SampleSeries where Element: SampleElement {
    func value(at index: Int) -> Double { self[index].doubleValue }

    func outliers(by detector: OutlierDetector, progress: Progress) throws -> SharedBuffer<Int> {
        progress.isShown ? try detector.detect(self) { progress.update($0, of: $1) } : try detector.detect(self)
    }

    func moments(by detector: OutlierDetector) throws(OutlierError) -> Moments {
        try detector.moments(of: self)
    }

    var shared: any PythonConvertible { self }
}
