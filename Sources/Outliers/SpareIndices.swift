internal import Glibc
import PythonBridge

/// Memory for indices that is used again by the next search in as many samples, which spares a process from mapping it.
///
/// Only when nobody has the last result any more: no owner in this process, Python included, and no other process that it was passed to.
final class SpareIndices: Sendable {
    private struct Spare {
        var storage: SharedStorage
        /// Nil for memory that only this process can have.
        let passCount: Int?
        /// Whose memory it is. The child of a fork has the same.
        let process = getpid()

        /// Whether no other process was given it.
        var isPrivate: Bool { storage.mapping?.passCount == passCount && process == getpid() }
    }

    /// As many results as may be held at a time by whoever gets the next one.
    private static let capacity = 4
    /// Of memory for more indices than this, 2 MiB, none is kept.
    static let most = 1 << 18

    private let isShared: Bool
    private let spares = Lock<[Spare]>([])

    /// - Parameter isShared: Whether other processes can map the memory.
    init(isShared: Bool) { self.isShared = isShared }

    /// Memory for so many indices, which holds anything. It is nobody else's. What nobody has any more and cannot be used is given back.
    ///
    /// - Throws: As `SharedBuffer(capacity:)`, or `SharedBuffer(sharedMemoryCapacity:)`.
    func take(_ count: Int) throws(PythonError) -> SharedBuffer<Int> {
        let byteCount = count * MemoryLayout<Int>.stride
        let storage: SharedStorage? = spares.withLock { spares in
            var found: SharedStorage?
            for place in spares.indices.reversed() where isKnownUniquelyReferenced(&spares[place].storage) {
                let isSuitable = spares[place].isPrivate && spares[place].storage.byteCount == byteCount
                if isSuitable, found != nil { continue }
                let spare = spares.remove(at: place)
                if isSuitable { found = spare.storage }
            }
            return found
        }
        guard let storage else {
            return isShared ? try SharedBuffer(sharedMemoryCapacity: count) : try SharedBuffer(capacity: count)
        }
        return SharedBuffer(storage: storage, byteOffset: 0, count: count, isWritableByPython: true)
    }

    /// Has memory used again when its result has been given up. Whoever has written to it does so no more.
    func keep(_ indices: SharedBuffer<Int>) {
        guard indices.count <= Self.most else { return }
        let spare = Spare(storage: indices.storage, passCount: indices.storage.mapping?.passCount)
        spares.withLock { spares in
            if spares.count == Self.capacity { spares.removeFirst() }
            spares.append(spare)
        }
    }
}
