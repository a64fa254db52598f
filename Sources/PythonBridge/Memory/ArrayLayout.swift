/// Where the elements of an array of any number of dimensions lie: its shape, its strides and its first element.
///
/// Everything is counted in elements. A stride may be negative, to go backwards, or zero, to see one element again and again.
/// Source: numpy's array interface (`shape`, `strides`), whose strides are in bytes.
public struct ArrayLayout: Sendable, Hashable {
    /// The length of each dimension; empty for a single element.
    public let shape: [Int]
    /// For each dimension, how many elements lie from one to the next.
    public let strides: [Int]
    /// The position in the memory of the element whose indices are all zero.
    public let offset: Int
    /// The number of elements: the product of the lengths.
    public let count: Int
    /// The lowest and the highest position of an element; nil when there is none.
    public let positions: ClosedRange<Int>?
    /// The product of the lengths where one of 0 counts as 1, which numpy limits even where there is no element.
    let nominalCount: Int

    /// As many dimensions as CPython's buffer protocol has (`PyBUF_MAX_NDIM`).
    public static let maximumDimensions = 64

    /// Any shape and strides.
    ///
    /// The strides of an array without elements, and of a dimension of length 1, are never stepped along and may be any.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` for a negative length, a different number of strides, more than 64 dimensions,
    ///   or numbers that do not fit 64 bits.
    public init(shape: [Int], strides: [Int], offset: Int = 0) throws(PythonError) {
        guard shape.count == strides.count else {
            throw .invalidBuffer("\(shape.count) dimensions and \(strides.count) strides do not go together")
        }
        guard shape.count <= Self.maximumDimensions else {
            throw .invalidBuffer("\(shape.count) dimensions are more than \(Self.maximumDimensions)")
        }
        // Made when it is thrown: text takes longer than all the rest.
        func tooLarge() -> PythonError { .invalidBuffer("the shape \(shape) with strides \(strides) is too large") }
        let isEmpty = shape.contains(0)
        var nominalCount = 1
        var lowest = offset
        var highest = offset
        for (length, stride) in zip(shape, strides) {
            guard length >= 0 else { throw .invalidBuffer("a length of \(length) is negative") }
            guard let product = nominalCount.multiplied(byExactly: max(length, 1)) else { throw tooLarge() }
            nominalCount = product
            if isEmpty || length == 1 { continue }
            // Backwards as well: it may be reversed.
            guard let distance = stride.multiplied(byExactly: length - 1), stride != .min,
                let end = (distance < 0 ? lowest : highest).added(toExactly: distance)
            else { throw tooLarge() }
            if distance < 0 { lowest = end } else { highest = end }
        }
        self.init(
            shape: shape, strides: strides, offset: offset, nominalCount: nominalCount,
            positions: isEmpty ? nil : lowest...highest)
    }

    private init(shape: [Int], strides: [Int], offset: Int, nominalCount: Int, positions: ClosedRange<Int>?) {
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.nominalCount = nominalCount
        count = positions == nil ? 0 : nominalCount
        self.positions = positions
    }

    /// Side by side from the start, the last dimension's elements first: C's order, and numpy's own.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` as ``init(shape:strides:offset:)`` does.
    public init(rowMajor shape: [Int]) throws(PythonError) {
        try self.init(shape: shape, strides: Self.packedStrides(shape.reversed()).reversed())
    }

    /// Side by side from the start, the first dimension's elements first: Fortran's order.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` as ``init(shape:strides:offset:)`` does.
    public init(columnMajor shape: [Int]) throws(PythonError) {
        try self.init(shape: shape, strides: Self.packedStrides(shape))
    }

    /// The strides of elements side by side, the first dimension's first. Those that do not fit are refused with the shape.
    private static func packedStrides(_ shape: some Sequence<Int>) -> [Int] {
        var distance = 1
        return shape.map { length in
            defer { distance = distance.multiplied(byExactly: max(length, 1)) ?? .max }
            return distance
        }
    }

    // MARK: - The same elements otherwise

    /// The dimensions in reverse order. Source: `numpy.transpose`.
    public var transposed: ArrayLayout {
        ArrayLayout(
            shape: shape.reversed(), strides: strides.reversed(), offset: offset, nominalCount: nominalCount,
            positions: positions)
    }

    /// One dimension backwards. Source: `numpy.flip`.
    ///
    /// - Precondition: The layout has that dimension.
    public func reversed(along dimension: Int) -> ArrayLayout {
        var strides = strides
        strides[dimension] = 0 &- strides[dimension]
        let last = max(shape[dimension] - 1, 0)
        return ArrayLayout(
            shape: shape, strides: strides, offset: positions == nil ? offset : offset + last * self.strides[dimension],
            nominalCount: nominalCount, positions: positions)
    }

    /// Repeated without a copy to a larger shape. Source: `numpy.broadcast_to`.
    ///
    /// - Throws: ``PythonError/invalidBuffer(_:)`` when the shapes do not go together.
    public func broadcast(to target: [Int]) throws(PythonError) -> ArrayLayout {
        let added = target.count - shape.count
        var strides = [Int](repeating: 0, count: max(added, 0)) + strides
        for (dimension, length) in shape.enumerated() where added >= 0 {
            if length == target[added + dimension] { continue }
            guard length == 1 else { throw .invalidBuffer("a shape of \(shape) cannot be broadcast to \(target)") }
            strides[added + dimension] = 0
        }
        guard added >= 0 else { throw .invalidBuffer("a shape of \(shape) cannot be broadcast to \(target)") }
        return try ArrayLayout(shape: target, strides: strides, offset: offset)
    }

    // MARK: - Properties

    /// Whether the elements lie side by side, the last dimension's first. Source: numpy's `C_CONTIGUOUS`.
    public var isRowMajor: Bool { isPacked(zip(shape, strides).reversed()) }

    /// Whether the elements lie side by side, the first dimension's first. Source: numpy's `F_CONTIGUOUS`.
    public var isColumnMajor: Bool { isPacked(Array(zip(shape, strides))) }

    private func isPacked(_ dimensions: [(length: Int, stride: Int)]) -> Bool {
        var distance = 1
        for (length, stride) in dimensions where length != 1 {
            if count > 0 && stride != distance { return false }
            distance *= max(length, 1)
        }
        return true
    }

    /// Whether two indices can mean one element, as far as the zero strides tell.
    var repeatsElements: Bool { count > 0 && zip(shape, strides).contains { $0 > 1 && $1 == 0 } }

    /// The position in the memory of an element; nil when there is none with these indices.
    public func position(of indices: [Int]) -> Int? {
        guard indices.count == shape.count, count > 0 else { return nil }
        var position = offset
        for (index, (length, stride)) in zip(indices, zip(shape, strides)) {
            guard index >= 0, index < length else { return nil }
            position += index * stride
        }
        return position
    }

    /// The position of an element of two dimensions, without an array for its indices.
    @usableFromInline
    func position(of row: Int, _ column: Int) -> Int? {
        guard shape.count == 2, row >= 0, row < shape[0], column >= 0, column < shape[1] else { return nil }
        return offset + row * strides[0] + column * strides[1]
    }

    /// The positions of all elements, the last index counting fastest.
    func forEachPosition(_ body: (Int) -> Void) {
        guard count > 0 else { return }
        var indices = [Int](repeating: 0, count: shape.count)
        var position = offset
        while true {
            body(position)
            var dimension = shape.count - 1
            while dimension >= 0 {
                indices[dimension] += 1
                if indices[dimension] < shape[dimension] {
                    position += strides[dimension]
                    break
                }
                position -= (shape[dimension] - 1) * strides[dimension]
                indices[dimension] = 0
                dimension -= 1
            }
            if dimension < 0 { return }
        }
    }
}

extension ArrayLayout {
    /// - Throws: ``PythonError/invalidBuffer(_:)`` unless every element is one of the first `available`, and the bytes of all of
    ///   them, of which some may be the same, can be counted.
    @usableFromInline
    package func check(within available: Int, elementSize: Int) throws(PythonError) {
        guard nominalCount <= .max / elementSize else {
            throw .invalidBuffer("the shape \(shape) is too large for elements of \(elementSize) bytes")
        }
        guard let positions else {
            guard (0...available).contains(offset) else {
                throw .invalidBuffer("an array from element \(offset) on is not within \(available) elements")
            }
            return
        }
        guard positions.lowerBound >= 0, positions.upperBound < available else {
            throw .invalidBuffer(
                "the shape \(shape) with strides \(strides) from element \(offset) on leaves a buffer of \(available)")
        }
    }

    /// Calls `body` with the lengths and then the strides in bytes, as the shim takes them.
    func withShapeAndStrides<R, E>(elementSize: Int, _ body: (UnsafePointer<Int>) throws(E) -> R) throws(E) -> R {
        // The stride of a dimension that is never stepped along need not fit. One number more: an empty array has no address.
        let shapeAndStrides = shape + strides.map { $0 &* elementSize } + [0]
        return try unsafe shapeAndStrides.withUnsafeBufferPointer { shapeAndStrides throws(E) in
            guard let base = shapeAndStrides.baseAddress else { preconditionFailure("an array without an address") }
            return try unsafe body(base)
        }
    }
}

extension Int {
    fileprivate func multiplied(byExactly other: Int) -> Int? {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : product
    }

    fileprivate func added(toExactly other: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }
}
