import PythonBridge

/// The pages of a process that are in memory, in bytes, by who has them. Source: proc(5), `/proc/PID/smaps_rollup`.
///
/// The kernel walks the page tables for it: these are exact, where `/proc/PID/status` may be off by some pages for each processor.
struct ResidentPages: Sendable, Hashable {
    /// Those of no file: heap, stacks, what was written of a private mapping. Of a page that several processes have, the share.
    private(set) var anonymous = 0
    /// Those of shared memory without a name; the share as well.
    private(set) var sharedMemory = 0
    /// What other processes have too, and nobody has written to since it was read.
    private(set) var sharedClean = 0
    private(set) var sharedDirty = 0
    private(set) var privateClean = 0
    private(set) var privateDirty = 0

    /// The memory that no file can give back.
    var own: Int { anonymous + sharedMemory }

    /// - Parameter process: A number, or `self`.
    /// - Returns: nil when the process has ended, or the kernel does not tell.
    init?(of process: String) {
        guard let lines = FileSystem.lines(of: "/proc/\(process)/smaps_rollup"), lines.count > 1 else { return nil }
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, let kilobytes = Int(words[1]) else { continue }
            set(words[0], to: kilobytes << 10)
        }
    }

    private mutating func set(_ name: Substring, to amount: Int) {
        switch name {
        case "Pss_Anon:": anonymous = amount
        case "Pss_Shmem:": sharedMemory = amount
        case "Shared_Clean:": sharedClean = amount
        case "Shared_Dirty:": sharedDirty = amount
        case "Private_Clean:": privateClean = amount
        case "Private_Dirty:": privateDirty = amount
        default: break
        }
    }
}
