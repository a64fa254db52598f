/// What `numpy.ndarray` and `ArrayLayout` are asked for, counted in elements, and what is then done with the array.
struct Descriptor: CustomStringConvertible {
    enum Operation {
        case none
        case transposed
        case reversed(Int)
        case broadcast([Int])
    }

    var shape: [Int] = []
    var strides: [Int] = []
    var offset = 0
    var operation = Operation.none

    var description: String { "shape \(shape), strides \(strides), offset \(offset), then \(operation)" }

    /// As Python reads it.
    var numbers: [Int] {
        let (code, operands): (Int, [Int]) =
            switch operation {
            case .none: (0, [])
            case .transposed: (1, [])
            case .reversed(let dimension): (2, [dimension])
            case .broadcast(let target): (3, target)
            }
        return [shape.count, strides.count, offset, code, operands.count] + shape + strides + operands
    }
}

extension Descriptor {
    /// Small numbers mostly, of which about half make an array within `capacity` elements; extreme ones now and then.
    init(capacity: Int, using random: inout SeededGenerator) {
        let dimensions = random.element(of: Self.dimensions)
        // With many dimensions most lengths are 1, or else there would be no array that fits.
        let rarity = max(1, dimensions / 4)
        for _ in 0..<dimensions {
            shape.append(rarity > 1 && !random.once(in: rarity) ? 1 : Self.length(using: &random))
        }
        strides = Self.strides(of: shape, using: &random)
        if random.once(in: 200) { strides.append(1) }
        if random.once(in: 200) { strides = strides.dropLast() }
        offset = offset(capacity: capacity, using: &random)
        operation = operation(using: &random)
    }

    private static let dimensions =
        [0, 0, 0, 5, 6, 7, 8, 9, 33, 63, 64, 64, 65, 66]
        + [Int](repeating: 1, count: 30) + [Int](repeating: 2, count: 40) + [Int](repeating: 3, count: 30)
        + [Int](repeating: 4, count: 12)

    private static func extreme(using random: inout SeededGenerator) -> Int {
        let edge = random.element(of: [Int.max, .min, 1 << 31, 1 << 32, 1 << 59, 1 << 60, 1 << 61, 1 << 62])
        switch random.number(in: 0...4) {
        case 0: return edge
        case 1: return edge == .min ? edge : -edge
        case 2: return edge &+ random.number(in: -3...3)
        case 3: return edge / random.number(in: 2...16)
        default: return Int(bitPattern: UInt(random.next()))
        }
    }

    private static func length(using random: inout SeededGenerator) -> Int {
        switch random.number(in: 0...199) {
        case 0...2: extreme(using: &random)
        case 3: random.number(in: -3 ... -1)
        case 4...9: 0
        case 10...45: 1
        case 46...190: random.number(in: 2...4)
        default: random.number(in: 5...70)
        }
    }

    private static func strides(of shape: [Int], using random: inout SeededGenerator) -> [Int] {
        var strides = shape
        var distance = 1
        let isColumnMajor = random.once(in: 2)
        for dimension in isColumnMajor ? Array(shape.indices) : shape.indices.reversed() {
            strides[dimension] = distance
            distance &*= max(shape[dimension], 1)
        }
        // Half of them are as packed, the others are changed here and there.
        if random.once(in: 2) { return strides }
        for dimension in shape.indices where random.once(in: 2) {
            switch random.number(in: 0...99) {
            case 0...1: strides[dimension] = extreme(using: &random)
            case 2...30: strides[dimension] = 0
            case 31...60: strides[dimension] = 0 &- strides[dimension]
            case 61...80: strides[dimension] &*= random.number(in: -3...3)
            default: strides[dimension] = random.number(in: -9...9)
            }
        }
        return strides
    }

    private func offset(capacity: Int, using random: inout SeededGenerator) -> Int {
        switch random.number(in: 0...99) {
        case 0: return Self.extreme(using: &random)
        case 1...20: return random.number(in: -2...capacity + 2)
        default:
            let lowest = zip(shape, strides).reduce(0) { $0 &+ min(0, ($1.0 &- 1) &* $1.1) }
            return (0 &- lowest) &+ (random.once(in: 2) ? 0 : random.number(in: 0...4))
        }
    }

    private func operation(using random: inout SeededGenerator) -> Operation {
        switch random.number(in: 0...9) {
        case 0...3: return .none
        case 4...5: return .transposed
        case 6...7: return shape.isEmpty ? .none : .reversed(random.number(in: 0...shape.count - 1))
        default:
            var target = shape.map { $0 == 1 && random.once(in: 2) ? Self.length(using: &random) : $0 }
            let added = random.once(in: 50) ? random.number(in: 0...70) : random.number(in: 0...2)
            for _ in 0..<added { target.insert(added > 2 ? 1 : Self.length(using: &random), at: 0) }
            if random.once(in: 20) { target = target.dropLast() }
            if !target.isEmpty, random.once(in: 20) {
                target[random.number(in: 0...target.count - 1)] = Self.length(using: &random)
            }
            return .broadcast(target)
        }
    }
}
