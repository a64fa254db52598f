import PythonBridge

/// Shared memory for indices that is used again when nobody has its last result any more: a worker has it mapped already.
final class SpareIndices: Sendable {
    /// As many results as may be held at a time by whoever gets the next one.
    private static let capacity = 4
    /// Of more indices than these the search takes so long that new memory does not matter.
    private static let mostKept = 1 << 18

    private let kept = Lock<[SharedStorage]>([])

    /// Memory for so many indices, which holds anything. It is nobody else's.
    ///
    /// - Throws: As `SharedBuffer(sharedMemoryCapacity:)`.
    func take(_ count: Int) throws(PythonError) -> SharedBuffer<Int> {
        let storage: SharedStorage? = kept.withLock { kept in
            let place = kept.indices.first { place in
                kept[place].byteCount >= count * MemoryLayout<Int>.stride && isKnownUniquelyReferenced(&kept[place])
            }
            return place.map { kept.remove(at: $0) }
        }
        guard let storage else { return try SharedBuffer(sharedMemoryCapacity: count) }
        return SharedBuffer(storage: storage, byteOffset: 0, count: count, isWritableByPython: true)
    }

    /// Has memory used again once its other owners have given it up. No process writes to it any more.
    func keep(_ indices: SharedBuffer<Int>) {
        guard indices.count <= Self.mostKept else { return }
        kept.withLock { kept in
            if kept.count == Self.capacity { kept.removeFirst() }
            kept.append(indices.storage)
        }
    }
}
