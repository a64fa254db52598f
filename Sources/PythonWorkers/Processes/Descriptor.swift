internal import Glibc
internal import Synchronization

/// A file descriptor that is closed with its last reference.
final class Descriptor: Sendable {
    let number: Int32
    private let isGone = Atomic(false)

    /// Takes over a descriptor.
    init(_ number: Int32) { self.number = number }

    deinit { closeNow() }

    /// Closes it, unless that has been done or somebody else does it.
    func closeNow() {
        if !isGone.exchange(true, ordering: .acquiringAndReleasing) { close(number) }
    }

    /// Hands the descriptor over to whoever closes it.
    func take() -> Int32 {
        isGone.store(true, ordering: .releasing)
        return number
    }

    /// Has reads and writes give up rather than wait.
    func setNonblocking() { _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK) }
}
