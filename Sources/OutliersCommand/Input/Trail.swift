import FoundationEssentials
import PythonBridge
import Synchronization

/// What lies behind a reader of a file that takes more than half of the memory there is: it is given back as the reader goes on.
///
/// The kernel would keep what was read last instead of what other programs use, and it is gone anyway when the next pass comes to it.
/// As much as half of the memory that nobody uses stays for that pass.
final class Trail: Sendable {
    /// The bytes that are given back at a time. Those before them are given back once more: the page cache keeps pages together, and
    /// those that lie across an end go with neither part.
    private static let step = 8 << 20

    private let count: Int
    private let pitch: Int
    private let kept: Int
    private let evict: @Sendable (Range<Int>) -> Void
    private let end = Mutex(0)

    /// - Parameters:
    ///   - count: The number of elements.
    ///   - pitch: Bytes from one element to the next.
    ///   - memory: What there is; nil where the system does not tell, and then nothing is given back.
    ///   - evict: Gives back the memory of elements.
    init(
        count: Int, pitch: Int, memory: SystemMemory? = SystemMemory(), evict: @escaping @Sendable (Range<Int>) -> Void
    ) {
        let pitch = max(pitch, 1)
        (self.count, self.pitch, self.evict) = (count, pitch, evict)
        kept = memory.flatMap { count > $0.available / 2 / pitch ? $0.free / 2 / pitch : nil } ?? .max
    }

    convenience init(_ bytes: SharedBuffer<UInt8>) {
        self.init(count: bytes.count, pitch: 1) { bytes.evict($0) }
    }

    /// Whether anything will be given back.
    var isNeeded: Bool { count > kept }

    /// - Parameter position: Of the reader. Where it is less than before, another pass has begun.
    func update(_ position: Int) {
        guard isNeeded else { return }
        let step = max(Self.step / pitch, 1)
        end.withLock { end in
            if position < end { giveBack(end..<count, step: step) }
            if position < end || position >= end + step {
                giveBack(min(end, position)..<position, step: step)
                end = position
            }
        }
    }

    private func giveBack(_ positions: Range<Int>, step: Int) {
        let start = max(positions.lowerBound - step, kept)
        if start < positions.upperBound { evict(start..<positions.upperBound) }
    }
}

/// The machine's memory, in bytes. Source: proc_meminfo(5).
struct SystemMemory {
    /// What programs can have if the page cache makes room.
    let available: Int
    /// What nobody uses.
    let free: Int

    init(available: Int, free: Int) { (self.available, self.free) = (available, free) }

    /// Nil where the system does not tell.
    init?() {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: "/proc/meminfo")) else { return nil }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
        func bytes(_ name: String) -> Int? {
            lines.first { $0.first == name[...] }.flatMap { $0.count > 1 ? Int($0[1]) : nil }.map { $0 << 10 }
        }
        guard let available = bytes("MemAvailable:"), let free = bytes("MemFree:") else { return nil }
        (self.available, self.free) = (available, free)
    }
}
