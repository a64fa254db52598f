import Benchmark
import Outliers
import PythonBridge

/// A detection in a thousand samples from Swift, beside numpy's one-liner that Python itself calls on an array that is ready.
func addThousand(in python: PythonInterpreter) throws {
    try python.run(
        """
        import numpy as np

        def one_liner(x, times):
            for _ in range(times): np.where(np.abs(x - x.mean()) > 2 * x.std())[0]
        """)
    let oneLiner = try python.function("one_liner", in: "__main__")
    var samples = (0..<1000).map { (index: Int) -> Double in Double(index * 7919 % 1000) / 1000 }
    for index in [7, 113, 835] { samples[index] = 97 }
    let array: PythonObject = try python.function("array", in: "numpy")(samples)
    let series = StridedView(SharedBuffer(sharing: samples))
    let embedded = OutlierDetector(engine: try EmbeddedEngine(python: python))
    let native = OutlierDetector(engine: NativeEngine())

    func detections(_ name: String, _ detector: OutlierDetector) -> Way {
        Way(name) { times in for _ in 0..<times { blackHole(try detector.detect(series)) } }
    }
    compare(
        "1000 samples", times: 100,
        [
            Way("one-liner in Python") { try oneLiner(array, $0) },
            detections("embedded", embedded), detections("native", native),
        ])
}
