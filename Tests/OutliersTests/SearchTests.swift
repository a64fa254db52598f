import CSearch
import Testing

/// The search in C, with the vectors of every processor and with all wider ones that this one has, against two comparisons.
@Suite struct SearchTests {
    private typealias Search = (UnsafeRawPointer, Int, Double, Double, Int, UnsafeMutablePointer<Int>) -> Int

    private typealias Way = (name: String, find: (_ samples: [Double], _ shift: Int, _ offset: Int) -> [Int])

    private static var ways: [Way] {
        func way(_ name: String, _ search: @escaping Search) -> Way {
            (name, { unsafe found($0, shift: $1, offset: $2, search) })
        }
        var all = unsafe [way("best", csearch_beyond), way("baseline", csearch_beyond_baseline)]
        if let search = unsafe csearch_beyond_avx2() { unsafe all.append(way("AVX2", search)) }
        if let search = unsafe csearch_beyond_avx512() { unsafe all.append(way("AVX-512", search)) }
        return all
    }

    private static let capacity = Int(CSEARCH_CAPACITY)

    /// What is found among samples that start so many bytes behind an aligned address.
    private static func found(_ samples: [Double], shift: Int, offset: Int, _ search: Search) -> [Int] {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * samples.count + shift, alignment: 64)
        defer { unsafe memory.deallocate() }
        for (index, sample) in samples.enumerated() {
            unsafe memory.storeBytes(of: sample, toByteOffset: shift + 8 * index, as: Double.self)
        }
        // One more, which must stay as it is.
        var positions = Array(repeating: -1, count: samples.count + Int(CSEARCH_SLACK) + 1)
        let count = unsafe search(memory.baseAddress! + shift, samples.count, -1, 1, offset, &positions)
        #expect(positions.last == -1)
        return Array(positions.prefix(count))
    }

    private func expectAll(_ samples: [Double], _ description: @autoclosure () -> String) {
        for offset in [0, 1 << 40] {
            let expected = samples.indices.filter { samples[$0] < -1 || samples[$0] > 1 }.map { $0 + offset }
            for shift in [0, 8, 3] {
                for way in Self.ways {
                    let positions = way.find(samples, shift, offset)
                    #expect(positions == expected, "\(way.name), \(description()), shift \(shift)")
                }
            }
        }
    }

    @Test func `any number of samples, with any share beyond`() {
        let beyond = (1.0).nextUp
        for count in Array(0...130) + [255, 256, 257, 1023, 5_000, Self.capacity - 1, Self.capacity] {
            for share in [0, 0.003, 0.05, 0.3, 0.9, 1] {
                let samples = (0..<count).map { _ in
                    Double.random(in: 0..<1) < share
                        ? [beyond, -beyond, .infinity, -.infinity, 1e300].randomElement()!
                        : [1, -1, 0, -0.0, .nan, -.nan, .leastNonzeroMagnitude].randomElement()!
                }
                expectAll(samples, "\(count) samples, \(share) beyond")
            }
        }
    }

    @Test func `each place by itself`() {
        for place in 0..<300 {
            var samples = Array(repeating: 0.5, count: 300)
            samples[place] = place % 2 == 0 ? 2 : -2
            expectAll(samples, "place \(place)")
        }
    }
}
