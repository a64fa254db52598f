internal import Glibc
internal import Subprocess

/// Reads what a process writes, until it has ended, and ends it when that is due. It blocks the thread.
///
/// The process leads its group, and is reaped by somebody else, later: until then its number stays its own.
struct ScriptWatch {
    /// Why the process is ended.
    enum Stop {
        case cancelled
        case timedOut
        case outputLimitExceeded
    }

    private(set) var stop: Stop?
    private(set) var ending: ProcessEnding?

    private let process: ProcessIdentifier
    private let cancellation: Pipe
    private let deadline: ContinuousClock.Instant?
    private let grace: Duration
    private let limit: Int
    private let line: ((ScriptOutput.Line) -> Void)?
    private var streams: [Stream]
    /// When those who were asked to end are made to.
    private var killTime: ContinuousClock.Instant?
    private var isKilled = false

    private struct Stream {
        let name: ScriptOutput.Stream
        let pipe: Pipe
        var isOpen = true
        var bytes: [UInt8] = []
        /// How many of them have been passed on as lines.
        var passed = 0
    }

    init(
        _ process: ProcessIdentifier, output: Pipe, errors: Pipe?, cancellation: Pipe,
        deadline: ContinuousClock.Instant?, grace: Duration, limit: Int, line: ((ScriptOutput.Line) -> Void)?
    ) {
        self.process = process
        self.cancellation = cancellation
        self.deadline = deadline
        self.grace = grace
        self.limit = limit
        self.line = line
        streams = [Stream(name: .standardOutput, pipe: output)]
        if let errors { streams.append(Stream(name: .standardError, pipe: errors)) }
    }

    var output: ScriptOutput {
        ScriptOutput(
            standardOutputBytes: streams[0].bytes, standardErrorBytes: streams.count > 1 ? streams[1].bytes : [])
    }

    /// Returns when the process has ended, and either nobody holds its output or whoever does has had the time to end.
    mutating func untilEnd() {
        while ending == nil || (streams.contains(where: \.isOpen) && !isKilled) {
            if let deadline, deadline <= .now { end(.timedOut) }
            if let killTime, killTime <= .now, !isKilled {
                killpg(process.value, SIGKILL)
                isKilled = true
                continue
            }
            step()
        }
        // Those who never held the output were asked to end as well.
        if stop != nil { killpg(process.value, SIGKILL) }
        for index in streams.indices { passLine(streams[index].bytes.count, of: index) }
    }

    /// Waits for the next event, and handles it.
    private mutating func step() {
        let isWatched = ending == nil
        var events = streams.map {
            pollfd(fd: $0.isOpen ? $0.pipe.reading.number : -1, events: Int16(POLLIN), revents: 0)
        }
        for descriptor in [process.processDescriptor, stop == nil ? cancellation.reading.number : -1] {
            events.append(pollfd(fd: isWatched ? descriptor : -1, events: Int16(POLLIN), revents: 0))
        }
        guard unsafe poll(&events, nfds_t(events.count), milliseconds) > 0 else { return }
        for index in streams.indices where events[index].revents != 0 { read(index) }
        if events[streams.count].revents != 0 { noteEnding() }
        if events[streams.count + 1].revents != 0 { end(.cancelled) }
    }

    /// How long nothing is due, rounded up; -1 for ever. Source: poll(2).
    private var milliseconds: Int32 {
        let due = [ending == nil && stop == nil ? deadline : nil, isKilled ? nil : killTime].compactMap(\.self).min()
        guard let due else { return -1 }
        let (seconds, attoseconds) = max(due - .now, .zero).components
        return Int32(min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    // MARK: - The end

    private mutating func end(_ reason: Stop) {
        guard stop == nil, ending == nil else { return }
        stop = reason
        askToEnd()
    }

    private mutating func askToEnd() {
        killpg(process.value, SIGTERM)
        killTime = killTime ?? .now + grace
    }

    /// The process has ended: all that it wrote is in the pipes.
    private mutating func noteEnding() {
        for index in streams.indices where streams[index].isOpen { drain(index) }
        // Nobody knows it where the kernel reaps by itself, as it does for whoever ignores SIGCHLD.
        ending = ProcessEnding(of: process.value) ?? .exited(-1)
        if streams.contains(where: \.isOpen) { askToEnd() }
    }

    // MARK: - Output

    /// Reads as much as is there now, and not what others go on writing.
    private mutating func drain(_ index: Int) {
        let descriptor = streams[index].pipe.reading.number
        var available: Int32 = 0
        _ = unsafe ioctl(descriptor, UInt(FIONREAD), &available)
        while available > 0, streams[index].isOpen { available -= Int32(read(index)) }
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&state, 1, 0) > 0, state.revents & Int16(POLLIN) == 0 { streams[index].isOpen = false }
    }

    /// Reads once, which does not block where there is something to read. Returns how many bytes that were.
    @discardableResult
    private mutating func read(_ index: Int) -> Int {
        let size = 64 << 10
        return unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { buffer in
            let count = unsafe Glibc.read(streams[index].pipe.reading.number, buffer.baseAddress, size)
            if count <= 0 {
                if count == 0 || errno != EINTR { streams[index].isOpen = false }
                return 0
            }
            unsafe append(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: index)
            return count
        }
    }

    private mutating func append(_ new: UnsafeRawBufferPointer, to index: Int) {
        let room = max(0, limit - streams[index].bytes.count)
        let start = streams[index].bytes.count
        unsafe streams[index].bytes.append(contentsOf: new.prefix(room))
        if line != nil {
            for position in start..<streams[index].bytes.count where streams[index].bytes[position] == 0x0A {
                passLine(position + 1, of: index)
            }
        }
        if new.count > room { end(.outputLimitExceeded) }
    }

    /// Passes on what has not been, as one line, if there is any.
    private mutating func passLine(_ end: Int, of index: Int) {
        guard let line, streams[index].passed < end else { return }
        var bytes = streams[index].bytes[streams[index].passed..<end]
        streams[index].passed = end
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        line(ScriptOutput.Line(stream: streams[index].name, text: String(decoding: bytes, as: UTF8.self)))
    }
}
