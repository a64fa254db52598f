internal import Glibc
import PythonBridge

/// Shared memory for indices that is used again by the next search in as many samples, which spares a worker from mapping it.
///
/// Only when nobody has the last result any more: no owner in this process, and no other process that it was passed to.
final class SpareIndices: Sendable {
    private struct Spare {
        var storage: SharedStorage
        let passCount: Int
        /// Whose memory it is. The child of a fork has the same.
        let process = getpid()

        /// Whether no other process was given it.
        var isPrivate: Bool { storage.mapping?.passCount == passCount && process == getpid() }
    }

    /// As many results as may be held at a time by whoever gets the next one.
    private static let capacity = 4

    private let spares = Lock<[Spare]>([])

    /// Memory for so many indices, which holds anything. It is nobody else's. What nobody has any more and cannot be used is given back.
    ///
    /// - Throws: As `SharedBuffer(sharedMemoryCapacity:)`.
    func take(_ count: Int) throws(PythonError) -> SharedBuffer<Int> {
        let byteCount = count * MemoryLayout<Int>.stride
        let storage: SharedStorage? = spares.withLock { spares in
            var found: SharedStorage?
            for place in spares.indices.reversed() where isKnownUniquelyReferenced(&spares[place].storage) {
                let spare = spares.remove(at: place)
                if spare.isPrivate, spare.storage.byteCount == byteCount { found = spare.storage }
            }
            return found
        }
        guard let storage else { return try SharedBuffer(sharedMemoryCapacity: count) }
        return SharedBuffer(storage: storage, byteOffset: 0, count: count, isWritableByPython: true)
    }

    /// Has memory used again when its result has been given up. The worker that has written to it does so no more.
    func keep(_ indices: SharedBuffer<Int>) {
        guard let mapping = indices.storage.mapping else { return }
        let spare = Spare(storage: indices.storage, passCount: mapping.passCount)
        spares.withLock { spares in
            if spares.count == Self.capacity { spares.removeFirst() }
            spares.append(spare)
        }
    }
}
