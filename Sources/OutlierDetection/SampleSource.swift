/// Where the samples of a detection lie. Several threads may read them at once.
package protocol SampleSource {
    /// The number of samples.
    var count: Int { get }

    /// Calls `body` with the first sample, if the samples are doubles one after the other, of any alignment.
    ///
    /// - Returns: What `body` returns; nil where they are something else.
    func withDoubles<R>(_ body: (UnsafeRawPointer) -> R) -> R?

    /// Writes the samples at `positions`, in double precision, to memory with room for as many.
    func convert(_ positions: Range<Int>, to block: UnsafeMutablePointer<Double>)
}

extension SampleSource {
    /// Calls `body` with some of the samples: in place where they are contiguous doubles, otherwise converted.
    ///
    /// - Parameters:
    ///   - positions: At least one, and no more than a block holds.
    ///   - scratch: For the converted ones.
    func withBlock<R>(_ positions: Range<Int>, scratch: borrowing Scratch<Double>, _ body: (Block) -> R) -> R {
        let inPlace = unsafe withDoubles { doubles in
            body(unsafe Block(start: doubles + 8 * positions.lowerBound, count: positions.count))
        }
        if let inPlace { return inPlace }
        unsafe convert(positions, to: scratch.start)
        return body(unsafe Block(start: scratch.start, count: positions.count))
    }
}

/// Memory that is not initialized; what is never touched costs nothing.
@safe
struct Scratch<Element: BitwiseCopyable>: ~Copyable {
    let start: UnsafeMutablePointer<Element>

    init(capacity: Int) { unsafe start = .allocate(capacity: capacity) }

    deinit { unsafe start.deallocate() }
}

/// Writes evenly spaced samples in double precision.
///
/// - Parameters:
///   - start: The first sample.
///   - stride: Bytes from one to the next.
///   - size: The bytes of a sample, as a constant: where that is the stride, the loop is compiled to vectors.
///   - count: How many there are.
///   - block: Has room for them.
///   - sample: The one at an address.
@inlinable
@inline(__always)
package func convert(
    from start: UnsafeRawPointer, stride: Int, size: Int, count: Int, to block: UnsafeMutablePointer<Double>,
    _ sample: (UnsafeRawPointer) -> Double
) {
    guard stride == size else {
        for index in 0..<count { unsafe block[index] = sample(start + index &* stride) }
        return
    }
    // Along eight strips, for the reason that ``Block`` has. Along one, int64 took half as much time again.
    let length = count / 64 * 8
    var index = 0
    while index < length {
        var strip = 0
        while strip < 8 {
            let place = index &+ strip &* length
            for place in place..<place &+ 8 { unsafe block[place] = sample(start + place &* size) }
            strip &+= 1
        }
        index &+= 8
    }
    for index in 8 * length..<count { unsafe block[index] = sample(start + index &* size) }
}
