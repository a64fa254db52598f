import ArgumentParser
import Glibc
import PythonBridge

/// Samples to measure with, the same in each run.
enum GeneratedSamples {
    /// What they are like.
    enum Distribution: String, ExpressibleByArgument, CaseIterable {
        /// In [0, 1), with 97 added in three places.
        case uniform
        /// With mean 0 and standard deviation 1.
        case normal
    }

    /// - Parameter isShared: Whether other processes can map the memory.
    /// - Throws: `PythonError.outOfMemory(byteCount:)` also where the system would promise more memory than is available, and end this
    ///   process when it takes it.
    static func make(
        count: Int, isShared: Bool, _ distribution: Distribution = .uniform
    ) throws(PythonError) -> StridedView<Double> {
        let size = count * MemoryLayout<Double>.stride
        if let available = availableMemory, size > available { throw .outOfMemory(byteCount: size) }
        let samples: SharedBuffer<Double> =
            isShared
            ? try SharedBuffer(sharedMemoryCapacity: count) : try SharedBuffer(capacity: count, hugePages: true)
        unsafe samples.withUnsafeMutableBufferPointer { samples in
            var generator = SplitMix64()
            for index in 0..<count { unsafe samples[index] = generator.uniform() }
            switch distribution {
            case .uniform:
                // Where the test data has them, which are a thousand.
                for place in [7, 113, 835] { unsafe samples[count * place / 1000] += 97 }
            case .normal:
                // Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
                for index in 0..<count {
                    let radius = unsafe (-2 * Glibc.log(1 - samples[index])).squareRoot()
                    unsafe samples[index] = radius * Glibc.cos(2 * .pi * generator.uniform())
                }
            }
        }
        return StridedView(samples.readOnly)
    }

    /// Source: proc(5), `MemAvailable` of `/proc/meminfo`.
    private static var availableMemory: Int? {
        let line = FileSystem.lines(of: "/proc/meminfo")?.first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
}

/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
private struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64 = 0

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
