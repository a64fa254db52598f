import PythonBridge

/// Arrays that numpy made, at random places of one memory or in memory of its own, as the bridge reads them.
struct ArrayRound {
    private let numpy: Numpy
    private let memory: SharedBuffer<UInt8>

    init(_ numpy: Numpy, using random: inout SeededGenerator) throws(PythonError) {
        self.numpy = numpy
        memory = try SharedBuffer(capacity: 4096)
        for position in memory.indices { memory[position] = UInt8(truncatingIfNeeded: random.next()) }
    }

    func run(count: Int, counts: inout Counts, using random: inout SeededGenerator) throws {
        // Four numbers for each: the index of its type, whether it is one row, whether Swift has its memory, whether it is empty.
        let answers: [Int] = try numpy.makeArrays(random.number(in: 0...Int(Int32.max)), count, memory)
        for index in 0..<count {
            counts.arrays += 1
            let answer = answers[4 * index..<4 * index + 4].map { $0 }
            var types = [random.number(in: 0...elementTypes.count - 1)]
            if answer[0] >= 0, answer[0] != types[0] { types.append(answer[0]) }
            for type in types {
                do {
                    func check<E: FuzzElement>(_: E.Type) throws {
                        try read(
                            index, as: E.self, isReadable: type == answer[0], isRow: answer[1] == 1,
                            isShared: answer[2] == 1, isEmpty: answer[3] == 1, &counts)
                    }
                    try check(elementTypes[type])
                } catch {
                    let array: String = try numpy.describe(index)
                    throw Difference("\(array) as \(elementTypes[type]): \(error)")
                }
            }
        }
    }

    private func read<Element: FuzzElement>(
        _ index: Int, as type: Element.Type, isReadable: Bool, isRow: Bool, isShared: Bool, isEmpty: Bool,
        _ counts: inout Counts
    ) throws {
        func attempt<R>(_ expected: Bool?, _ body: () throws(PythonError) -> R) throws -> R? {
            switch Result(catching: body) {
            case .success(let result):
                guard expected != false else { throw Difference("\(R.self) reads it") }
                counts.read += 1
                return result
            case .failure(let error):
                guard expected != true else { throw Difference("\(R.self) refuses it: \(error)") }
                // numpy itself does not export dates and the like.
                switch error {
                case .conversion, .exception: return nil
                default: throw Difference("\(R.self) fails with \(error)")
                }
            }
        }
        let array = try attempt(isReadable) { () throws(PythonError) -> PythonArray<Element> in try numpy.array(index) }
        let row = try attempt(isReadable && isRow) { () throws(PythonError) -> PythonBuffer<Element> in
            try numpy.array(index)
        }
        // Of no elements nobody can tell whose memory they are in.
        let shared = try attempt(isEmpty && isReadable ? nil : isReadable && isShared) {
            () throws(PythonError) -> SharedArray<Element> in try numpy.array(index)
        }
        let seen: [([Int], [Element])?] = [
            array.map { ($0.shape, $0.elements) }, row.map { ([$0.count], Array($0)) },
            shared.map { ($0.shape, $0.elements) },
        ]
        for case let (shape, elements)? in seen {
            let differs: Bool = try numpy.differs(index, shape, SharedBuffer(sharing: elements))
            if differs { throw Difference("read with the shape \(shape) as \(elements)") }
        }
    }
}
