import Outliers
import PythonBridge
import Testing

@testable import OutlierDetection

/// What native finds in samples of all types, against the definition.
@Suite struct NativeDetectionTests {
    /// The indices by the definition, with the moments that the engine has.
    private func expected<Element: SampleElement>(
        _ samples: StridedView<Element>, _ options: DetectionOptions
    ) throws -> [Int] {
        let moments = try NativeEngine().moments(of: samples, options: options)
        let limit = options.threshold * moments.standardDeviation
        return samples.indices.filter {
            samples[$0].doubleValue.isFinite && abs(samples[$0].doubleValue - moments.mean) > limit
        }
    }

    private func found<Element: SampleElement>(
        _ samples: StridedView<Element>, _ options: DetectionOptions
    ) throws -> [Int] {
        Array(try NativeEngine().outliers(in: samples, options: options))
    }

    @Test(arguments: [1.0, 2, 3.3])
    func `samples next to the bounds are told apart`(threshold: Double) throws {
        let options = try DetectionOptions(threshold: threshold)
        var samples = (0..<20_011).map { _ in Double.random(in: -1...1) + Double.random(in: -1...1) + 5 }
        // Each of these moves the bounds by a small part of its own move: in the end only the rounding of the sums does.
        let places = [[0, 63, 64, 511, 512], [16_383, 16_384, 17_000, 20_009, 20_010]]
        for _ in 0..<6 {
            let moments = try NativeEngine().moments(of: StridedView(SharedBuffer(sharing: samples)), options: options)
            let bounds = Bounds(mean: moments.mean, limit: threshold * moments.standardDeviation)
            for (bound, places) in zip([bounds.lower, bounds.upper], places) {
                for (place, ulps) in zip(places, [-4096.0, -1, 0, 1, 4096]) {
                    samples[place] = bound + ulps * bound.ulp
                }
            }
        }
        let view = StridedView(SharedBuffer(sharing: samples))
        let found = try found(view, options)
        #expect(found == (try expected(view, options)))
        #expect(places.allSatisfy { (1...4).contains(Set(found).intersection($0).count) })
    }

    @Test(arguments: [1, 2])
    func `indices go to memory that is there, as many as fit`(threads: Int) throws {
        let options = try DetectionOptions(threshold: 1, threads: threads)
        let samples = StridedView(SharedBuffer(sharing: (0..<1_100_000).map { _ in Double.random(in: -1...1) }))
        let all = try found(samples, options)
        #expect(all.count > 100_000)
        for room in [0, 16_391, all.count - 1, all.count, all.count + 1] {
            let indices = try SharedBuffer(contentsOf: Array(repeating: -1, count: room))
            let count = try NativeEngine().outliers(in: samples, into: indices, options: options)
            #expect(count == all.count)
            #expect(Array(indices) == Array(all.prefix(room)) + Array(repeating: -1, count: max(0, room - all.count)))
        }
    }

    @Test func `every type has its extremes and its strides`() throws {
        func check<Element: SampleElement>(_ all: [Element], _ extremes: [Element]) throws {
            for threshold in [0, 2.0] {
                let options = try DetectionOptions(threshold: threshold)
                for count in [1, 2, 64, 513, 16_449] {
                    var samples = (0..<count).map { all[$0 % all.count] }
                    for (place, extreme) in extremes.enumerated() where count > 64 { samples[7 + 30 * place] = extreme }
                    let view = StridedView(SharedBuffer(sharing: samples))
                    let indices = try found(view, options)
                    #expect(indices == (try expected(view, options)), "\(Element.self), \(count), \(threshold)")
                    let doubles = StridedView(SharedBuffer(sharing: samples.map(\.doubleValue)))
                    #expect(indices == (try found(doubles, options)), "\(Element.self), \(count), \(threshold)")
                    let backwards = try StridedView(of: view.buffer, from: count - 1, by: -1, count: count)
                    let mirrored = StridedView(SharedBuffer(sharing: Array(samples.reversed())))
                    #expect(try found(backwards, options) == found(mirrored, options))
                    let thrice = SharedBuffer(sharing: samples.flatMap { [all[0], $0, all[0]] })
                    #expect(try found(StridedView(of: thrice, from: 1, by: 3, count: count), options) == indices)
                }
            }
        }
        func checkIntegers<Element: SampleElement & FixedWidthInteger>(_ type: Element.Type) throws {
            try check((0..<100).map { Element($0) }, [.min, .max])
        }
        try check((0..<97).map { 0.1 * Double($0) }, [1e9, -1e9])
        try check((0..<97).map { 0.1 * Double($0) }, [.greatestFiniteMagnitude, .leastNonzeroMagnitude])
        try check((0..<97).map { 0.1 * Float($0) }, [.greatestFiniteMagnitude, .leastNonzeroMagnitude])
        try checkIntegers(Int.self)
        try checkIntegers(Int64.self)
        try checkIntegers(Int32.self)
        try checkIntegers(Int16.self)
        try checkIntegers(Int8.self)
        try checkIntegers(UInt.self)
        try checkIntegers(UInt64.self)
        try checkIntegers(UInt32.self)
        try checkIntegers(UInt16.self)
        try checkIntegers(UInt8.self)
    }

    @Test func `infinities and NaN among outliers are left out`() throws {
        let options = try DetectionOptions(threshold: 0, nonFinite: .omit)
        var samples = (0..<20_000).map { Double($0) }
        for index in stride(from: 0, to: samples.count, by: 3) {
            samples[index] = [.nan, .infinity, -.infinity][index % 9 / 3]
        }
        let view = StridedView(SharedBuffer(sharing: samples))
        #expect(try found(view, options) == expected(view, options))
        #expect(try found(view, options).count > 13_000)
    }

    /// The moments of integers, in exact arithmetic but for the last steps.
    private func exactMoments(_ samples: [Int]) -> Moments {
        let sum = samples.reduce(0, +)
        let squares = samples.reduce(Int128(0)) { $0 + Int128($1) * Int128($1) }
        let count = samples.count
        let variance = Double(Int128(count) * squares - Int128(sum) * Int128(sum)) / Double(count) / Double(count)
        return Moments(mean: Double(sum) / Double(count), standardDeviation: variance.squareRoot())
    }

    @Test func `a spread that is small beside the mean keeps its digits`() throws {
        let steps = (0..<50_000).map { $0 * 7919 % 1000 }
        let exact = exactMoments(steps)
        for (offset, unit) in [(1e9, 1.0 / 1024), (-1e9, 1.0 / 1024), (1e15, 1), (0, 1e-150)] {
            let samples = steps.map { offset + unit * Double($0) }
            let moments = try NativeEngine().moments(
                of: StridedView(SharedBuffer(sharing: samples)), options: .standard)
            #expect(abs(moments.standardDeviation / (unit * exact.standardDeviation) - 1) < 1e-11)
            #expect(abs(moments.mean - (offset + unit * exact.mean)) <= moments.mean.ulp)
        }
    }

    @Test func `blocks that begin far from their mean keep their digits`() throws {
        // Where each block begins there is a number that shifts all others of it.
        let samples = (0..<65_537).map { $0.isMultiple(of: 16_384) ? 1_000_000_000 : $0 % 3 }
        let quiet = samples.map { $0 > 3 ? 1 : $0 }
        for samples in [samples, quiet, samples.map { $0 * 2 - 1_000_000_000 }] {
            let exact = exactMoments(samples)
            let moments = try NativeEngine().moments(
                of: StridedView(SharedBuffer(sharing: samples.map(Double.init))), options: .standard)
            #expect(abs(moments.standardDeviation / exact.standardDeviation - 1) < 1e-12)
            #expect(abs(moments.mean / exact.mean - 1) < 1e-12)
        }
    }

    @Test(arguments: [0.1, 1e9 / 3, -1e300, Double.leastNonzeroMagnitude, 0])
    func `constant data deviate by exactly zero`(value: Double) throws {
        for count in [1, 63, 64, 1000, 16_385, 50_000] {
            let view = StridedView(SharedBuffer(sharing: [Double](repeating: value, count: count)))
            let moments = try NativeEngine().moments(of: view, options: .standard)
            #expect(moments == Moments(mean: value, standardDeviation: 0))
            #expect(try found(view, DetectionOptions(threshold: 0)).isEmpty)
        }
    }
}
