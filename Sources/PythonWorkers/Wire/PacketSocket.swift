internal import Glibc
internal import PythonBridge

/// One end of a pair of sockets that keep packets apart, by which descriptors can travel.
///
/// Source: unix(7), `SOCK_SEQPACKET` and `SCM_RIGHTS`.
@safe
final class PacketSocket: Sendable {
    /// Why nothing could be sent or received.
    enum Failure: Error, Equatable {
        /// The other end is gone, or ``interrupt()`` was called.
        case closed
        case deadlineExceeded
        /// A packet is longer than any may be.
        case tooLong(Int)
    }

    /// No SIGPIPE, no wait.
    private static let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)

    private let descriptor: Int32

    /// Takes over a descriptor.
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A new pair: this end, and the descriptor of the other one.
    static func makePair() throws(WorkerError) -> (socket: PacketSocket, other: Int32) {
        var pair: (Int32, Int32) = (0, 0)
        let status = unsafe withUnsafeMutablePointer(to: &pair) { pair in
            unsafe pair.withMemoryRebound(to: Int32.self, capacity: 2) {
                unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, $0)
            }
        }
        guard status == 0 else { throw .notStarted("no socket: \(PythonError.reason(errno))") }
        return (PacketSocket(pair.0), pair.1)
    }

    /// Has whoever sends or receives stop: at once if nothing more has arrived. Any thread.
    func interrupt() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Sends a packet, and a descriptor in one of its own.
    func send(_ packet: [UInt8], descriptor sent: Int32? = nil, deadline: Deadline = .never) throws(Failure) {
        while !(try sendOnce(packet)) { try wait(for: Int32(POLLOUT), until: deadline) }
        guard let sent else { return }
        while !(try sendOnce(sent)) { try wait(for: Int32(POLLOUT), until: deadline) }
    }

    /// Sends a packet if that takes no waiting.
    func sendIfPossible(_ packet: [UInt8]) -> Bool { (try? sendOnce(packet)) == true }

    /// - Returns: False when it has to wait.
    private func sendOnce(_ packet: [UInt8]) throws(Failure) -> Bool {
        let count = unsafe packet.withUnsafeBytes { packet in
            unsafe Glibc.send(descriptor, packet.baseAddress, packet.count, Self.flags)
        }
        return try wasSent(count)
    }

    private func sendOnce(_ sent: Int32) throws(Failure) -> Bool {
        // A `cmsghdr` with its data: length, level and type (SCM_RIGHTS), descriptor.
        var control: (Int, Int32, Int32, Int32, Int32) = (20, SOL_SOCKET, 1, sent, 0)
        var byte: UInt8 = 0
        let count = unsafe withUnsafeMutableBytes(of: &control) { control in
            unsafe withUnsafeMutableBytes(of: &byte) { byte in
                var part = unsafe iovec(iov_base: byte.baseAddress, iov_len: 1)
                return unsafe withUnsafeMutablePointer(to: &part) { part in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = unsafe part
                    unsafe message.msg_iovlen = 1
                    unsafe message.msg_control = control.baseAddress
                    unsafe message.msg_controllen = control.count
                    return unsafe sendmsg(descriptor, &message, Self.flags)
                }
            }
        }
        return try wasSent(count)
    }

    private func wasSent(_ count: Int) throws(Failure) -> Bool {
        if count >= 0 { return true }
        guard [EINTR, EAGAIN, ENOBUFS].contains(errno) else { throw .closed }
        return false
    }

    /// Receives one packet, once there is one. Those of a sender that never stops end at the deadline too.
    ///
    /// - Parameter vigil: Whether it is worth while to look for a packet before sleeping.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, deadline: Deadline = .never, vigil: inout Vigil
    ) throws(Failure) -> Int {
        if deadline.hasPassed { throw .deadlineExceeded }
        if vigil.begins() {
            for _ in 0..<Vigil.looks {
                if let count = unsafe try receiveOnce(into: buffer, Int32(MSG_TRUNC | MSG_DONTWAIT)) {
                    vigil.end(wasShort: true)
                    return count
                }
            }
            vigil.end(wasShort: false)
        }
        while true {
            if deadline.hasPassed { throw .deadlineExceeded }
            if deadline.isSet { try wait(for: Int32(POLLIN), until: deadline) }
            if let count = unsafe try receiveOnce(into: buffer, Int32(MSG_TRUNC)) { return count }
        }
    }

    /// - Returns: Nil when there is no packet.
    private func receiveOnce(into buffer: UnsafeMutableRawBufferPointer, _ flags: Int32) throws(Failure) -> Int? {
        let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, flags)
        if count == 0 { throw .closed }
        if count > buffer.count { throw .tooLong(count) }
        if count > 0 { return count }
        guard errno == EINTR || errno == EAGAIN else { throw .closed }
        return nil
    }

    private func wait(for events: Int32, until deadline: Deadline) throws(Failure) {
        var wanted = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let count = unsafe poll(&wanted, 1, deadline.milliseconds)
            if count > 0 { return }
            if count == 0 && deadline.hasPassed { throw .deadlineExceeded }
            guard count == 0 || errno == EINTR else { throw .closed }
        }
    }
}

/// Whether a thread that waits for a packet stays awake for some microseconds. To be woken takes longer than a short call, where there is a core for each side; where
/// there is not, or calls are long, it learns that it is in vain, and tries seldom.
struct Vigil {
    /// Some 20 µs, at a third of a microsecond each.
    static let looks = 60
    private static let patience = 4
    private var waits: UInt = 0
    private var failures = 0

    mutating func begins() -> Bool {
        waits &+= 1
        return failures < Self.patience || waits % 32 == 0
    }

    mutating func end(wasShort: Bool) { failures = wasShort ? 0 : min(failures + 1, Self.patience) }
}
