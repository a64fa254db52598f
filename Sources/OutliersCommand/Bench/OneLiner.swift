import Outliers
import PythonBridge

/// The outliers as an article has them found: numpy's expression over memory that Swift shares, and its result copied into an array.
///
/// Source: "Python and Go: Part IV — Using Python in Memory", Ardan Labs.
struct OneLiner {
    private static let source = """
        def one_liner(samples, threshold):
            import numpy as np
            x = np.asarray(samples)
            return np.where(np.abs(x - x.mean()) > threshold * x.std())[0]
        """

    private let function: PythonFunction
    private let threshold: Double

    /// - Throws: `OutlierError.python(_:)` when Python does not start, or numpy cannot be imported.
    init(python configuration: PythonConfiguration, threshold: Double) throws(OutlierError) {
        self.threshold = threshold
        do throws(PythonError) {
            let python = try PythonInterpreter.start(configuration)
            _ = try python.module("numpy")
            try python.run(Self.source)
            function = try python.function("one_liner", in: "__main__")
        } catch {
            throw .python(error)
        }
    }

    /// - Throws: `OutlierError.python(_:)`.
    func detect(_ samples: StridedView<Double>) throws(OutlierError) -> SharedBuffer<Int> {
        do throws(PythonError) {
            let found: PythonBuffer<Int> = try function(samples, threshold)
            MemoryLedger.countCopy(byteCount: found.count * MemoryLayout<Int>.stride)
            return SharedBuffer(sharing: unsafe found.withUnsafeBufferPointer { unsafe Array($0) })
        } catch {
            throw .python(error)
        }
    }
}
