internal import Glibc
internal import Synchronization

/// A mapped file, or anonymous shared memory, as other processes are told of it.
package final class SharedMapping: Sendable {
    private static let count = Atomic<UInt64>(0)

    /// No other mapping of this process ever has it.
    package let number = SharedMapping.makeNumber()
    /// The storage's; valid as long as that is there.
    package let descriptor: Int32
    private let passes = Atomic<Int>(0)
    private let observers = Lock<[@Sendable (UInt64) -> Void]>([])

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    package static func makeNumber() -> UInt64 { count.add(1, ordering: .relaxed).newValue }

    /// How many times its memory was passed to another process, which may go on to use it.
    package var passCount: Int { passes.load(ordering: .acquiring) }

    /// Counts that its memory is about to be passed.
    package func countPass() { passes.add(1, ordering: .acquiringAndReleasing) }

    /// How many bytes of it there are; the others are zero pages that nobody has touched. Source: fstat(2), `st_blocks`.
    package var writtenByteCount: Int {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? Int(status.st_blocks) * 512 : 0
    }

    /// Has a closure called with the number once the memory has been given back, on whatever thread does so.
    package func whenFreed(_ body: @escaping @Sendable (UInt64) -> Void) { observers.withLock { $0.append(body) } }

    func end() {
        for observer in observers.withLock({ $0 }) { observer(number) }
    }
}
