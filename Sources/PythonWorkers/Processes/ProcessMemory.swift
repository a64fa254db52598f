internal import Glibc
internal import PythonBridge

/// What the kernel says of a process's memory, in bytes. Source: proc(5), `/proc/PID/status`.
///
/// The kernel counts in batches: a figure may be off by some 256 KiB for each thread.
package struct ProcessMemory: Sendable, Hashable {
    /// Resident pages that are the process's own: heap, stacks, private mappings written to (`RssAnon`).
    package let anonymous: Int
    /// Resident pages of mapped files, its program and libraries among them (`RssFile`).
    package let file: Int
    /// Resident pages of shared memory, memory descriptors included; each process that has touched them counts them (`RssShmem`).
    package let shared: Int
    /// The most that was resident at a time, since the start or ``resetPeak(of:)`` (`VmHWM`).
    package let peak: Int

    /// All that is resident.
    package var resident: Int { anonymous + file + shared }

    /// The memory of a process; nil when it has ended, or where there is no `/proc`.
    ///
    /// - Parameter process: This one when it is nil.
    package init?(of process: Int32? = nil) {
        var sizes: [Substring: Int] = [:]
        for line in FileSystem.lines(of: "\(Self.directory(of: process))/status") ?? [] {
            let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count == 3, words[2] == "kB" { sizes[words[0]] = Int(words[1]) }
        }
        guard let anonymous = sizes["RssAnon:"], let file = sizes["RssFile:"], let shared = sizes["RssShmem:"],
            let peak = sizes["VmHWM:"]
        else { return nil }
        self.anonymous = anonymous << 10
        self.file = file << 10
        self.shared = shared << 10
        self.peak = peak << 10
    }

    /// Sets the peak to what is resident now.
    ///
    /// - Parameter process: This one when it is nil.
    /// - Returns: Whether the kernel did so.
    /// - Note: Source: proc(5), `/proc/PID/clear_refs`.
    package static func resetPeak(of process: Int32? = nil) -> Bool {
        guard let file = unsafe fopen("\(directory(of: process))/clear_refs", "we") else { return false }
        let isWritten = unsafe fputs("5", file) >= 0
        return unsafe fclose(file) == 0 && isWritten
    }

    /// The processes that this one has started and that have not been reaped.
    package static var children: [Int32] {
        guard let tasks = unsafe opendir("/proc/self/task") else { return [] }
        defer { unsafe closedir(tasks) }
        var children: [Int32] = []
        while let task = unsafe readdir(tasks) {
            let name = unsafe withUnsafeBytes(of: task.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let lines = FileSystem.lines(of: "/proc/self/task/\(name)/children") ?? []
            children += lines.flatMap { $0.split(separator: " ").compactMap { Int32($0) } }
        }
        return children
    }

    private static func directory(of process: Int32?) -> String { "/proc/\(process.map(String.init) ?? "self")" }
}
