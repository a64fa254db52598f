import Benchmark
import CallPathInC
import PythonBridge

/// What a call costs does not depend on the size of its buffers.
func addSizes(of two: PythonFunction) throws {
    let sizes = [("1 KiB", 1 << 10), ("1 MiB", 1 << 20), ("1 GiB", 1 << 30)]
    // Reserved, and never touched.
    let buffers = try sizes.map { (_, bytes) in
        (try SharedBuffer<Double>(capacity: bytes / 8), try SharedBuffer<Int>(capacity: bytes / 8))
    }

    func inC(
        _ name: String, _ call: @escaping (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Int64>, Int, Int) -> Int64
    ) -> Way {
        let (samples, indices) = buffers[0]
        return Way(name) { times in
            samples.withUnsafeMutableBufferPointer { samples in
                indices.withUnsafeMutableBufferPointer { indices in
                    let start = UnsafeMutableRawPointer(indices.baseAddress!).assumingMemoryBound(to: Int64.self)
                    blackHole(call(samples.baseAddress!, start, samples.count, times))
                }
            }
        }
    }
    compare(
        "shared, by size",
        [inC("C, ready views") { c_call_prepared($0, $2, $1, $2, $3) }]
            + zip(sizes, buffers).map { size, buffers in
                Way("shared, \(size.0)") { times in
                    try addUp(times) { try two(buffers.0, buffers.1) }
                }
            })
    compare(
        "lent, by size",
        [inC("C, new views") { c_call_lending($0, $2, $1, $2, $3) }]
            + zip(sizes, buffers).map { size, buffers in
                Way("lent, \(size.0)") { times in
                    try addUp(times) { try two(.lending(buffers.0), .lending(buffers.1)) }
                }
            })
}
