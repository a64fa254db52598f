import Glibc
import PythonBridge
import PythonWorkers

/// What this process and its children hold at a moment.
struct MemoryReading: Codable, Sendable {
    /// What of one process, or of all children together, is resident, in bytes.
    struct Resident: Codable, Sendable {
        /// `RssAnon`, `RssFile` and `RssShmem`.
        var anonymous = 0
        var file = 0
        var sharedMemory = 0
        /// Of shared memory, the process's share: pages that two have count half for each.
        var sharedMemoryShare = 0
        /// By who has the pages, and who has written to them.
        var sharedClean = 0
        var sharedDirty = 0
        var privateClean = 0
        var privateDirty = 0
        /// `VmHWM` since the phase began.
        var peak = 0

        var all: Int { anonymous + file + sharedMemory }

        /// What no file has.
        var own: Int { anonymous + sharedMemoryShare }
    }

    /// Since the program started to measure.
    let seconds: Double
    let host: Resident
    /// A worker, or the process of `subprocess`; nil where there is none.
    let child: Resident?
    /// Bytes that malloc has handed out in this process.
    let heap: Int

    /// Pages of no file, in all processes.
    var own: Int { host.own + (child?.own ?? 0) }

    init(seconds: Double) {
        self.seconds = seconds
        host = Resident(of: nil) ?? Resident()
        let children = ProcessMemory.children.filter { !Self.isThisProgram($0) }.compactMap { Resident(of: $0) }
        child = children.isEmpty ? nil : children.reduce(into: Resident()) { $0.add($1) }
        heap = Heap.allocatedBytes
    }

    /// Whether a child has not become another program yet: till then it has what this process has.
    private static func isThisProgram(_ child: Int32) -> Bool {
        var (own, other) = (stat(), stat())
        return unsafe stat("/proc/self/exe", &own) == 0 && stat("/proc/\(child)/exe", &other) == 0
            && own.st_ino == other.st_ino && own.st_dev == other.st_dev
    }
}

extension MemoryReading.Resident {
    /// - Returns: nil when the process has ended.
    fileprivate init?(of process: Int32?) {
        guard let memory = ProcessMemory(of: process) else { return nil }
        anonymous = memory.anonymous
        file = memory.file
        sharedMemory = memory.shared
        peak = memory.peak
        sharedMemoryShare = memory.shared
        guard let pages = ResidentPages(of: process.map(String.init) ?? "self") else { return }
        sharedClean = pages.sharedClean
        sharedDirty = pages.sharedDirty
        privateClean = pages.privateClean
        privateDirty = pages.privateDirty
        sharedMemoryShare = pages.sharedMemory
    }

    fileprivate mutating func add(_ other: Self) {
        anonymous += other.anonymous
        file += other.file
        sharedMemory += other.sharedMemory
        sharedMemoryShare += other.sharedMemoryShare
        sharedClean += other.sharedClean
        sharedDirty += other.sharedDirty
        privateClean += other.privateClean
        privateDirty += other.privateDirty
        peak += other.peak
    }
}
