internal import Synchronization

/// Tells when Python has let go of memory that was lent to it.
///
/// The last view's end is the exporter's dealloc, so that a view kept by `numpy.ndarray(buffer:)` counts too.
public final class PythonLease: Sendable {
    private let ended = Atomic(false)
    /// What keeps the memory alive until then; nil for raw memory, which is its owner's affair.
    private let owner: Lock<(any Sendable)?>

    init(owner: (any Sendable)?) {
        self.owner = Lock(owner)
    }

    /// A lease of memory that nobody needs any longer.
    package convenience init(ended: Void) {
        self.init(owner: nil)
        end()
    }

    /// Whether the last of Python's views is gone. Once true it stays so.
    public var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// Gives the memory back, however long the error that carries this lease is kept.
    func end() {
        let owner = owner.withLock { owner in
            defer { owner = nil }
            return owner
        }
        ended.store(true, ordering: .releasing)
        extendLifetime(owner)
    }
}
