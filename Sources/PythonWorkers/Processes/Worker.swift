internal import Logging
internal import PythonBridge

/// A process that serves calls, and what it has been told of. One thread at a time uses it.
@safe
final class Worker: @unchecked Sendable {
    private struct Knowledge {
        /// The memory that it has mapped.
        var memory: [UInt64: Weak] = [:]
        /// Numbers of memory that it is still to be told is gone.
        var forgotten: [UInt64] = []
        var calls = 0
        var lastUse = ContinuousClock.now
    }

    private struct Weak {
        weak var storage: SharedStorage?
    }

    let process: WorkerProcess
    private let logger: Logger
    private let knowledge = Lock(Knowledge())
    /// Held while packets are sent that belong together.
    private let sending = Lock(())
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: longestPacket, alignment: 16)
    /// The calls under way: those that a callback made within another one come last. Used by the thread that has the worker.
    var calls: [CallRequest] = []
    /// That of the call under way and of those that it is within.
    private var deadline = Deadline.never
    private var vigil = Vigil()
    /// Is told of memory that the worker maps.
    private let watch: @Sendable (SharedMapping) -> Void

    /// How many calls there may be within one another: a worker could have the stack overflow otherwise.
    static let deepestCall = 100

    /// Takes over a process that has just been started, and waits until it is ready.
    ///
    /// - Throws: ``WorkerError/notStarted(_:)``.
    init(
        _ process: WorkerProcess, _ logger: Logger, deadline: Deadline,
        watch: @escaping @Sendable (SharedMapping) -> Void
    ) throws(WorkerError) {
        self.process = process
        self.logger = logger
        self.watch = watch
        var reader: MessagePackReader
        do throws(PacketSocket.Failure) {
            reader = MessagePackReader(try receive(until: deadline))
        } catch {
            throw Self.startFailure(of: process, error)
        }
        guard (try? reader.readArray()) == 2, (try? reader.readInt()) == WorkerMessage.ready.rawValue else {
            process.terminate()
            throw .notStarted("it does not answer as a worker does")
        }
    }

    deinit { unsafe buffer.deallocate() }

    private static func startFailure(of process: WorkerProcess, _ failure: PacketSocket.Failure) -> WorkerError {
        if failure == .closed, case .ended(let end) = process.waitForEnd(until: Deadline(after: .seconds(1))) {
            return .notStarted("\(end)")
        }
        process.terminate()
        switch process.waitForEnd(until: Deadline(after: .seconds(5))) {
        case .notStarted(let reason): return .notStarted(reason)
        default:
            return .notStarted(
                failure == .deadlineExceeded
                    ? "it is not ready after the time that it has to start" : "it does not answer as a worker does")
        }
    }

    /// Whether it can serve another call.
    var isUsable: Bool { !process.isEnding }

    /// How many calls it has served.
    var callCount: Int { knowledge.withLock { $0.calls } }

    /// How long it has been idle.
    var idleTime: Duration { .now - knowledge.withLock { $0.lastUse } }

    // MARK: - Calls

    /// Serves a call.
    ///
    /// - Throws: ``WorkerError``. After any but ``WorkerError/python(_:)`` the process has ended.
    func serve(_ request: CallRequest) throws(WorkerError) -> WorkerReply {
        guard calls.count < Self.deepestCall else {
            let message = "calls within callbacks are more than \(Self.deepestCall) deep"
            throw .python(
                .exception(
                    PythonException(
                        type: "RecursionError", message: message, traceback: "", causes: [], swiftError: nil, number: 0)
                ))
        }
        let outer = deadline
        deadline = .earlier(outer, request.deadline)
        calls.append(request)
        defer {
            calls.removeLast()
            deadline = outer
            knowledge.withLock { knowledge in
                knowledge.calls += 1
                knowledge.lastUse = .now
            }
        }
        do throws(Interruption) {
            request.begin(on: process)
            defer { request.end() }
            try send(request.memory, packet: request.packet)
            return try answer(to: request)
        } catch {
            throw end(after: error, request)
        }
    }

    /// Whether it answers.
    func isAlive(until deadline: Deadline) -> Bool {
        do {
            try process.socket.send([0x91, UInt8(HostMessage.ping.rawValue)], deadline: deadline)
            while true {
                var reader = MessagePackReader(try receive(until: deadline))
                let count = try reader.readArray()
                switch WorkerMessage(rawValue: try reader.readInt()) {
                case .pong: return count == 1
                case .log: try log(&reader)
                default: return false
                }
            }
        } catch {
            return false
        }
    }

    /// How long a process whose socket is closed may take to be gone.
    private static let patience = Duration.milliseconds(200)

    /// Why a call came to no answer.
    private enum Interruption: Error {
        case failure(PacketSocket.Failure)
        case misbehaviour(String)
        case error(WorkerError)
    }

    /// Ends the process, and tells why the call failed.
    private func end(after interruption: Interruption, _ request: CallRequest) -> WorkerError {
        let error: WorkerError
        switch interruption {
        case .error(let reason):
            if case .python = reason { return reason }
            error = reason
        case .misbehaviour(let reason): error = .misbehaved(reason)
        case .failure(.tooLong(let count)): error = .misbehaved("a packet of \(count) bytes")
        case .failure(.deadlineExceeded): error = .deadlineExceeded
        case .failure(.closed):
            if calls.contains(where: \.isCancelled) {
                error = .cancelled
            } else if process.isEnding, request.deadline.hasPassed {
                error = .deadlineExceeded
            } else if case .ended(let end) = process.waitForEnd(
                until: Deadline(after: process.isEnding ? process.longestEnd : Self.patience))
            {
                return .ended(end)
            } else {
                error = .misbehaved("it closed its socket")
            }
        }
        process.terminate()
        _ = process.waitForEnd(until: Deadline(after: process.longestEnd))
        return error
    }

    private func receive(until deadline: Deadline) throws(PacketSocket.Failure) -> [UInt8] {
        let count = unsafe try process.socket.receive(into: buffer, deadline: deadline, vigil: &vigil)
        return unsafe Array(buffer[..<count])
    }

    /// Sends a packet, behind whatever memory it names that the worker has not mapped yet.
    private func send(_ memory: [PassedMemory], packet: [UInt8]) throws(Interruption) {
        let deadline = deadline
        do throws(PacketSocket.Failure) {
            try sending.withLock { (_) throws(PacketSocket.Failure) in
                if !knowsAll(of: memory) {
                    while let (_, packet) = takeForgotten() { try process.socket.send(packet, deadline: deadline) }
                    for memory in memory where !knows(memory.number) { try send(memory, until: deadline) }
                }
                guard packet.count > longestPacket else { return try process.socket.send(packet, deadline: deadline) }
                try sendInMemory(packet, until: deadline)
            }
        } catch {
            throw .failure(error)
        }
    }

    /// Whether the worker has all of the memory mapped, and nothing to be told before a call.
    private func knowsAll(of memory: [PassedMemory]) -> Bool {
        knowledge.withLock { knowledge in
            knowledge.forgotten.isEmpty && memory.allSatisfy { knowledge.memory.index(forKey: $0.number) != nil }
        }
    }

    private func knows(_ number: UInt64) -> Bool { knowledge.withLock { $0.memory[number] != nil } }

    private func send(_ memory: PassedMemory, until deadline: Deadline) throws(PacketSocket.Failure) {
        guard let mapping = memory.storage.mapping else { preconditionFailure("only shared memory is passed") }
        if !memory.isLent {
            knowledge.withLock { $0.memory[memory.number] = Weak(storage: memory.storage) }
            watch(mapping)
        }
        var writer = MessagePackWriter(.map, fields: 4)
        writer.append(memory.number)
        writer.append(memory.storage.byteCount)
        writer.append(memory.storage.isMutable)
        writer.append(memory.isLent)
        try process.socket.send(writer.bytes, descriptor: mapping.descriptor, deadline: deadline)
    }

    private func sendInMemory(_ packet: [UInt8], until deadline: Deadline) throws(PacketSocket.Failure) {
        guard let memory = try? SharedBuffer<UInt8>(sharedMemoryCapacity: packet.count) else {
            throw .tooLong(packet.count)
        }
        unsafe packet.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: memory.storage.base, count: packet.count).copyMemory(
                from: bytes)
        }
        let number = SharedMapping.makeNumber()
        try send(PassedMemory(memory.storage, number: number, position: 0, isLent: true), until: deadline)
        var writer = MessagePackWriter(.large, fields: 2)
        writer.append(number)
        writer.append(packet.count)
        try process.socket.send(writer.bytes, deadline: deadline)
    }

    // MARK: - Memory that is gone

    /// Has the worker unmap memory: at once if it takes no waiting, otherwise before its next call.
    func forget(_ number: UInt64) {
        let isKnown = knowledge.withLock { knowledge in
            guard knowledge.memory.removeValue(forKey: number) != nil else { return false }
            knowledge.forgotten.append(number)
            return true
        }
        guard isKnown else { return }
        _ = sending.withLockIfAvailable { _ in
            if let (numbers, packet) = takeForgotten(), !process.socket.sendIfPossible(packet) {
                knowledge.withLock { $0.forgotten += numbers }
            }
        }
    }

    /// As many numbers as one packet holds.
    private func takeForgotten() -> (numbers: ArraySlice<UInt64>, packet: [UInt8])? {
        let numbers = knowledge.withLock { knowledge in
            let numbers = knowledge.forgotten.suffix(longestPacket / 16)
            knowledge.forgotten.removeLast(numbers.count)
            return numbers
        }
        guard !numbers.isEmpty else { return nil }
        var writer = MessagePackWriter(.forget, fields: 1)
        writer.appendArray(count: numbers.count)
        for number in numbers { writer.append(number) }
        return (numbers, writer.bytes)
    }

    // MARK: - What the worker sends

    /// Does what the worker asks for until it has answered.
    private func answer(to request: CallRequest) throws(Interruption) -> WorkerReply {
        var allocated: [UInt64: SharedStorage] = [:]
        while true {
            let packet: [UInt8]
            do throws(PacketSocket.Failure) {
                packet = try receive(until: deadline)
            } catch {
                throw .failure(error)
            }
            do {
                if let reply = try handle(packet, request, &allocated) { return reply }
            } catch let error as WireError {
                throw .misbehaviour(error.description)
            } catch {
                throw error as? Interruption ?? .error(error as? WorkerError ?? .misbehaved("\(error)"))
            }
        }
    }

    /// Does what a packet asks for; returns the reply, if it is that.
    func handle(
        _ packet: [UInt8], _ request: CallRequest, _ allocated: inout [UInt64: SharedStorage], isInMemory: Bool = false
    ) throws -> WorkerReply? {
        var reader = MessagePackReader(packet)
        let count = try reader.readArray()
        let kind = WorkerMessage(rawValue: try reader.readInt())
        switch (kind, count) {
        case (.result, 2):
            return WorkerReply(reader, KnownMemory(allocated: allocated, request: request, worker: self))
        case (.raised, 4):
            throw WorkerError.python(try raised(&reader, request))
        case (.misfit, 2):
            // Whoever called knows what is expected; to name a type takes longer than a short call.
            throw WorkerError.python(.conversion(expected: "", found: try reader.readString()))
        case (.callback, 3):
            try callBack(&reader, KnownMemory(allocated: allocated, request: request, worker: self), request)
        case (.allocate, 3):
            try allocate(&reader, request, &allocated)
        case (.log, 4):
            try log(&reader)
        case (.large, 3) where !isInMemory:
            let number = try reader.readInteger(as: UInt64.self)
            let length = try reader.readInt()
            guard let number, let memory = allocated.removeValue(forKey: number),
                (0...memory.byteCount).contains(length),
                length <= memory.mapping?.writtenByteCount ?? 0
            else {
                throw WireError("a packet in memory that there is not")
            }
            // A copy, which the worker cannot change while it is read.
            let packet = unsafe Array(UnsafeRawBufferPointer(start: memory.base, count: length))
            return try handle(packet, request, &allocated, isInMemory: true)
        default:
            throw WireError("a packet of an unknown kind")
        }
        return nil
    }

    private func raised(_ reader: inout MessagePackReader, _ request: CallRequest) throws -> PythonError {
        var links: [PythonException] = []
        let linkCount = try reader.readArray()
        for _ in 0..<linkCount {
            guard try reader.readArray() == 4 else { throw WireError("no exception") }
            let (type, message) = (try reader.readString(), try reader.readString())
            let traceback = try reader.readString()
            let number = try reader.readNil() ? nil : try reader.readInteger(as: Int.self)
            links.append(
                PythonException(
                    type: type, message: message, traceback: traceback, causes: [],
                    swiftError: number.flatMap { request.error($0) }, number: 0))
        }
        var kept: [PythonEscape.View] = []
        let keptCount = try reader.readArray()
        for _ in 0..<keptCount {
            guard try reader.readArray() == 2 else { throw WireError("no argument") }
            let position = try reader.readInt()
            let name = try reader.readNil() ? nil : try reader.readString()
            kept.append(
                PythonEscape.View(
                    argument: name ?? "argument \(position &+ 1)", lease: PythonLease(ended: ())))
        }
        let number = try reader.readInteger(as: UInt32.self) ?? 0
        let exception = links.first.map { first in
            PythonException(
                type: first.type, message: first.message, traceback: first.traceback, causes: Array(links.dropFirst()),
                swiftError: first.swiftError, number: number == 0 ? 0 : Self.foreign | UInt64(number))
        }
        if !kept.isEmpty { return .escape(PythonEscape(views: kept, exception: exception)) }
        guard let exception else { throw WireError("no exception") }
        switch exception.type {
        case "PythonBridge.Cancelled": return .cancelled
        case "PythonBridge.DeadlineExceeded": return .deadlineExceeded
        default: return .exception(exception)
        }
    }

    /// Marks the number of an exception that is a worker's.
    private static let foreign: UInt64 = 1 << 63

    private func log(_ reader: inout MessagePackReader) throws(WireError) {
        let level = PythonLogLevel.level(of: try reader.readInt())
        let (name, text) = (try reader.readString(), try reader.readString())
        let process = process.processIdentifier ?? 0
        logger.log(level: level, "\(text)", metadata: ["logger": "\(name)", "worker": "\(process)"])
    }

    // MARK: - What the worker asks for

    private func allocate(
        _ reader: inout MessagePackReader, _ request: CallRequest, _ allocated: inout [UInt64: SharedStorage]
    ) throws {
        let length = try reader.readInt()
        guard let purpose = AllocationPurpose(rawValue: try reader.readInt()), length >= 0 else {
            throw WireError("no length")
        }
        let storage: SharedStorage
        do throws(PythonError) {
            storage = try SharedBuffer<UInt8>(sharedMemoryCapacity: length).storage
        } catch {
            return try send([], packet: request.refusal(error))
        }
        guard let mapping = storage.mapping else { preconditionFailure("shared memory is mapped") }
        switch purpose {
        case .onDemand: MemoryLedger.countOnDemand(byteCount: length)
        case .copy: MemoryLedger.countCopy(byteCount: length)
        case .message: break
        }
        allocated[mapping.number] = storage
        var answer = MessagePackWriter(.answer, fields: 2)
        answer.append(true)
        answer.append(mapping.number)
        try send(
            [PassedMemory(storage, number: mapping.number, position: 0, isLent: false)], packet: answer.bytes)
    }

    private func callBack(
        _ reader: inout MessagePackReader, _ memory: KnownMemory, _ request: CallRequest
    ) throws {
        guard let number = try reader.readInteger(as: UInt64.self),
            let callback = calls.lazy.compactMap({ $0.callbacks[number] }).first,
            try reader.readArray() == callback.argumentTypes.count
        else { throw WireError("a call of a function that there is not") }
        let arguments = WireArguments(WorkerReply(reader, memory))
        var answer = MessagePackWriter(.answer, fields: 2)
        answer.append(true)
        var call = WorkerCall(answer)
        do {
            let value = try PythonWorkers.$current.withValue(self) { try callback.body(arguments) }
            if let failure = arguments.failure { throw failure }
            guard let value = value as? any WorkerArgument else {
                throw PythonError.conversion(
                    expected: "a value that can leave the process", found: "\(type(of: value))")
            }
            try call.append(argument: value)
            request.add(call.callbacks)
            request.keep(call.memory)
            try send(call.memory, packet: call.writer.bytes)
        } catch let error as Interruption {
            throw error
        } catch let error as WireError {
            throw error
        } catch {
            if let failure = arguments.failure { throw failure }
            try send([], packet: request.refusal(error))
        }
    }
}

/// What the worker has asked for during a call, what the call has named, and what the worker was told of before.
private struct KnownMemory: MemorySource {
    let allocated: [UInt64: SharedStorage]
    let request: CallRequest
    let worker: Worker

    func storage(_ number: UInt64) -> SharedStorage? {
        allocated[number] ?? request.memory.first { $0.number == number && !$0.isLent }?.storage
            ?? worker.mapped(number)
    }

    func endWorker() { worker.process.terminate() }
}

extension Worker {
    fileprivate func mapped(_ number: UInt64) -> SharedStorage? {
        knowledge.withLock { $0.memory[number]?.storage }
    }
}

/// The arguments of a callback.
private final class WireArguments: CallbackArguments {
    private var reply: WorkerReply
    /// What was wrong with how they came.
    private(set) var failure: WireError?

    init(_ reply: WorkerReply) { self.reply = reply }

    func next<Argument: PythonResult>(as type: Argument.Type) throws -> Argument {
        guard let type = type as? any WorkerResult.Type else {
            throw PythonError.conversion(expected: "an argument that can leave a process", found: "\(type)")
        }
        let value: any PythonResult
        do throws(WorkerError) {
            value = try type.read(from: &reply)
        } catch {
            if case .python(let error) = error { throw error }
            let failure = WireError("\(error)")
            self.failure = failure
            throw failure
        }
        guard let value = value as? Argument else { preconditionFailure("a value is of the type that was read") }
        return value
    }
}
