import PythonBridge

/// Descriptors over one memory: numpy's answers to all of them, and the bridge's.
struct DescriptorRound<Element: FuzzElement> {
    /// As `Tests/Fixtures/layouts.py` has them.
    private enum Answer: Int {
        case refused, operationRefused, made, beyondNumpy
    }

    /// Arrays of more elements are not compared by element.
    private static var longestListing: Int { 100 }

    private let numpy: Numpy
    private let memory: SharedBuffer<Element>

    init(_ numpy: Numpy, using random: inout SeededGenerator) throws(PythonError) {
        self.numpy = numpy
        let capacity = random.once(in: 20) ? 0 : random.number(in: 1...80)
        let whole = try SharedBuffer<Element>(capacity: capacity + 6)
        for position in whole.indices { whole[position] = Element(position: position - 3) }
        // Part of a larger memory, so that what lies just outside is other elements.
        memory = whole.extracting(3..<3 + capacity)
    }

    func run(counts: inout Counts, using random: inout SeededGenerator) throws {
        var descriptors: [Descriptor] = []
        var numbers: [Int] = []
        for _ in 0..<Layouts.batch {
            let descriptor = Descriptor(capacity: memory.count, using: &random)
            numbers += descriptor.numbers
            descriptors.append(descriptor)
        }
        // Each answer has its verdict and flags, two numbers for each dimension, and the elements.
        let room = try SharedBuffer<Int>(capacity: 2 * numbers.count + (Self.longestListing + 8) * descriptors.count)
        let used: Int = try numpy.answer(SharedBuffer(sharing: numbers), descriptors.count, memory, room)
        var answers = room.prefix(used).makeIterator()
        for (index, descriptor) in descriptors.enumerated() {
            do {
                try check(descriptor, index, &answers, &counts)
            } catch {
                throw Difference("\(Element.self), \(memory.count) elements, \(descriptor): \(error)")
            }
        }
        guard answers.next() == nil else { throw Difference("numpy answered more than was asked") }
    }

    private func check(
        _ descriptor: Descriptor, _ index: Int, _ answers: inout some IteratorProtocol<Int>, _ counts: inout Counts
    ) throws {
        counts.descriptors += 1
        func next() -> Int { answers.next() ?? .min }
        let answer = Answer(rawValue: next())
        if answer == .beyondNumpy { return }
        let (own, array) = outcome(of: descriptor)
        guard own == answer else { throw Difference("\(own) here, \(answer, default: "nothing") by numpy") }
        guard let array else { return }
        counts.accepted += 1
        let layout = array.layout
        guard layout.isRowMajor == (next() == 1) else { throw Difference("isRowMajor is \(layout.isRowMajor)") }
        guard layout.isColumnMajor == (next() == 1) else {
            throw Difference("isColumnMajor is \(layout.isColumnMajor)")
        }
        let shape = (0..<next()).map { _ in next() }
        guard layout.shape == shape else { throw Difference("shape \(layout.shape), not \(shape)") }
        let size = MemoryLayout<Element>.stride
        for (length, stride) in zip(layout.shape, layout.strides) {
            // Those that are never stepped along are free.
            let bytes = next()
            guard layout.count == 0 || length == 1 || stride == bytes / size else {
                throw Difference("strides \(layout.strides), one of them not \(bytes) bytes")
            }
        }
        let isListed = layout.count <= Self.longestListing
        if isListed, layout.count > 0 {
            counts.listed += 1
            let offset = next()
            guard layout.offset == offset else { throw Difference("offset \(layout.offset), not \(offset)") }
            let elements = (0..<layout.count).map { _ in Element(position: next()) }
            guard array.elements == elements else { throw Difference("\(array.elements), not \(elements)") }
        }
        if index.isMultiple(of: Layouts.sample) {
            counts.passed += 1
            try pass(array, index, isListed: isListed)
        }
    }

    /// What the bridge makes of a descriptor.
    private func outcome(of descriptor: Descriptor) -> (Answer, SharedArray<Element>?) {
        do throws(PythonError) {
            let layout = try ArrayLayout(
                shape: descriptor.shape, strides: descriptor.strides, offset: descriptor.offset)
            let array = try SharedArray(memory, layout: layout)
            do throws(PythonError) {
                switch descriptor.operation {
                case .none: return (.made, array)
                case .transposed: return (.made, array.transposed)
                case .reversed(let dimension): return (.made, array.reversed(along: dimension))
                case .broadcast(let target): return (.made, try array.broadcast(to: target))
                }
            } catch {
                return (.operationRefused, nil)
            }
        } catch {
            return (.refused, nil)
        }
    }

    /// Shares, lends and shows read-only an array to Python, and reads it back.
    private func pass(_ array: SharedArray<Element>, _ index: Int, isListed: Bool) throws {
        let isWritable = array.isWritableByPython
        let seen: [String] = [
            try numpy.differences(array, index, isWritable),
            try numpy.differences(.lending(array), index, isWritable),
            try numpy.differences(array.readOnly, index, false),
        ]
        if let difference = seen.first(where: { !$0.isEmpty }) { throw Difference("Python sees \(difference)") }
        let read: PythonArray<Element> = try numpy.echo(array)
        let shared: SharedArray<Element> = try numpy.echo(array)
        guard read.shape == array.shape, shared.shape == array.shape else {
            throw Difference("it comes back with the shapes \(read.shape) and \(shared.shape)")
        }
        guard isListed else { return }
        let elements = array.elements
        guard read.elements == elements, shared.elements == elements else {
            throw Difference("it comes back with \(read.elements) and \(shared.elements), not \(elements)")
        }
    }
}
