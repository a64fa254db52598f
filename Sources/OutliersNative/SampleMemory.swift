import OutlierDetection

/// The types of numbers, by the kind and the size in bytes that numpy's `dtype` has.
enum SampleType {
    case float64, float32, float16
    case int64, int32, int16, int8
    case uint64, uint32, uint16, uint8

    init?(kind: UInt8, size: Int) {
        switch (UnicodeScalar(kind), size) {
        case ("f", 8): self = .float64
        case ("f", 4): self = .float32
        case ("f", 2): self = .float16
        case ("i", 8): self = .int64
        case ("i", 4): self = .int32
        case ("i", 2): self = .int16
        case ("i", 1): self = .int8
        case ("u", 8): self = .uint64
        case ("u", 4): self = .uint32
        case ("u", 2): self = .uint16
        case ("u", 1): self = .uint8
        default: return nil
        }
    }
}

/// Evenly spaced numbers in memory of the caller's, of any alignment.
@safe struct SampleMemory: SampleSource {
    private let start: UnsafeRawPointer?
    let count: Int
    private let stride: Int
    private let type: SampleType

    /// - Parameters:
    ///   - start: The first sample; where there is one, the memory outlives this.
    ///   - stride: Bytes from one sample to the next.
    @unsafe init(start: UnsafeRawPointer?, count: Int, stride: Int, type: SampleType) {
        unsafe self.start = start
        self.count = count
        self.stride = stride
        self.type = type
    }

    func withDoubles<R>(_ body: (UnsafeRawPointer) -> R) -> R? {
        guard type == .float64, stride == 8, let start = unsafe start else { return nil }
        return unsafe body(start)
    }

    func convert(_ positions: Range<Int>, to block: UnsafeMutablePointer<Double>) {
        switch type {
        case .float64: unsafe convert(positions, to: block) { $0 as Double }
        case .float32: unsafe convert(positions, to: block) { (sample: Float) in Double(sample) }
        case .float16: unsafe convert(positions, to: block) { (sample: Float16) in Double(sample) }
        case .int64: unsafe convert(positions, to: block) { (sample: Int64) in Double(sample) }
        case .int32: unsafe convert(positions, to: block) { (sample: Int32) in Double(sample) }
        case .int16: unsafe convert(positions, to: block) { (sample: Int16) in Double(sample) }
        case .int8: unsafe convert(positions, to: block) { (sample: Int8) in Double(sample) }
        case .uint64: unsafe convert(positions, to: block) { (sample: UInt64) in Double(sample) }
        case .uint32: unsafe convert(positions, to: block) { (sample: UInt32) in Double(sample) }
        case .uint16: unsafe convert(positions, to: block) { (sample: UInt16) in Double(sample) }
        case .uint8: unsafe convert(positions, to: block) { (sample: UInt8) in Double(sample) }
        }
    }

    @inline(__always)
    private func convert<Sample: BitwiseCopyable>(
        _ positions: Range<Int>, to block: UnsafeMutablePointer<Double>, _ doubleValue: (Sample) -> Double
    ) {
        guard let start = unsafe start else { return }
        unsafe OutlierDetection.convert(
            from: start + positions.lowerBound * stride, stride: stride, size: MemoryLayout<Sample>.stride,
            count: positions.count, to: block
        ) { doubleValue(unsafe $0.loadUnaligned(as: Sample.self)) }
    }
}
