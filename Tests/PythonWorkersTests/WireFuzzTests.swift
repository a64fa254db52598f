import Logging
import PythonBridge
import Testing

@testable import PythonWorkers

/// Packets by chance: of any kind, with numbers at the edges of what there is, and with bytes changed; under `make asan` too.
///
/// `WIRE_FUZZ_PACKETS` says how many, `WIRE_FUZZ_SEED` which ones.
struct WireFuzzTests {
    private static func number(_ variable: String, _ otherwise: Int) -> Int {
        FileSystem.environmentVariable(variable).flatMap { Int($0) } ?? otherwise
    }

    @Test
    func `whatever a worker sends is read or refused`() throws {
        let seed = Self.number("WIRE_FUZZ_SEED", 1)
        var round = try Round(seed: UInt64(seed))
        for index in 0..<Self.number("WIRE_FUZZ_PACKETS", 100_000) {
            guard let complaint = round.run() else { continue }
            Issue.record("\(complaint); packet \(index) of the seed \(seed)")
            break
        }
        // It is no use if nothing is read, or nothing refused.
        for (name, counts) in round.counts where name != "raised" && name != "misfit" {
            #expect(counts.read > 10 && counts.refused > 10, "\(name): \(counts)")
        }
    }
}

private struct Round {
    typealias Reading = (inout WorkerReply) throws -> String?

    var counts: [String: (read: Int, refused: Int)] = [:]
    private var random: SeededGenerator
    private let worker: Worker
    private let request: CallRequest
    private let memory: [SharedBuffer<UInt8>]
    private var known: [UInt64: SharedStorage] = [:]
    private var readings: [(String, Reading)] = []

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        let configuration = WorkerConfiguration(
            python: .program(Checkout.directory + "/Tests/Fixtures/impostor.py"),
            environmentVariables: ["IMPOSTOR": "a worker that reads all"], logger: .silent)
        worker = try Worker(WorkerProcess(configuration) { _ in }, .silent, deadline: Deadline(after: .seconds(30))) {
            _ in
        }
        memory = try [0, 1, 64, 4096, 100_000].map { try SharedBuffer(sharedMemoryCapacity: $0) }
        let callback = PythonCallback {
            (_: Int, _: [Double], _: String?, _: SharedBuffer<Int32>) -> SharedBuffer<UInt8> in
            try SharedBuffer(sharedMemoryCapacity: 8)
        }
        request = CallRequest(
            packet: [], memory: [], callbacks: [1: callback], deadline: Deadline(after: .seconds(600)), retries: 0)
        worker.calls = [request]
        readings = [
            reading(Int.self), reading(UInt8.self), reading(Double.self), reading(Float16.self),
            reading(Complex<Float>.self), reading(Bool.self), reading(String.self), reading(IgnoredResult.self),
            reading(Int?.self), reading([Double].self), reading([Int?].self), reading([[String]].self),
            reading([Complex<Double>].self), reading([[Double]].self), reading([SharedBuffer<UInt8>].self),
            bufferReading(UInt8.self), bufferReading(Double.self), bufferReading(Complex<Double>.self),
            arrayReading(UInt8.self), arrayReading(Int32.self), arrayReading(Double.self),
        ]
        for (name, _) in readings { counts[name] = (0, 0) }
    }

    private func reading<R: WorkerResult>(_ type: R.Type) -> (String, Reading) {
        (
            "\(type)",
            { reply in
                _ = try R.read(from: &reply)
                return nil
            }
        )
    }

    private func bufferReading<E: BufferElement>(_ type: E.Type) -> (String, Reading) {
        ("SharedBuffer<\(type)>", { reply in Self.complaint(try SharedBuffer<E>.read(from: &reply)) })
    }

    private func arrayReading<E: BufferElement>(_ type: E.Type) -> (String, Reading) {
        (
            "SharedArray<\(type)>",
            { reply in
                let array = try SharedArray<E>.read(from: &reply)
                if let complaint = Self.complaint(array.buffer) { return complaint }
                guard let positions = array.layout.positions else { return nil }
                guard positions.lowerBound >= 0, positions.upperBound < array.buffer.count else {
                    return "\(array.layout)"
                }
                if array.count < 1000 { _ = array.elements }
                return nil
            }
        )
    }

    /// What is wrong with where a buffer is; the ends are read.
    private static func complaint<E>(_ buffer: SharedBuffer<E>) -> String? {
        let end = buffer.byteOffset + buffer.count * MemoryLayout<E>.stride
        guard buffer.byteOffset >= 0, buffer.count >= 0, end <= buffer.storage.byteCount else {
            return "a buffer of \(buffer.count) elements at \(buffer.byteOffset)"
        }
        if buffer.count > 0 { withExtendedLifetime((buffer[0], buffer[buffer.count - 1])) {} }
        return nil
    }

    /// Does what the host does with a packet; returns what should not be.
    mutating func run() -> String? {
        known = Dictionary(uniqueKeysWithValues: memory.map { ($0.storage.mapping?.number ?? 0, $0.storage) })
        let kind = random.element(
            of: [WorkerMessage.result, .result, .raised, .misfit, .callback, .allocate, .log, .large])
        var packet = valid(kind)
        if random.once(in: 2) { change(&packet) }
        if kind == .large { fillMemory() }
        do {
            guard let reply = try worker.handle(packet, request, &known) else { return count("\(kind)", isRead: true) }
            for (name, reading) in readings {
                var reply = reply
                do {
                    if let complaint = try reading(&reply) { return complaint }
                    try reply.finish()
                    count(name, isRead: true)
                } catch {
                    count(name, isRead: false)
                }
            }
        } catch {
            count(kind == .result ? "misfit" : "\(kind)", isRead: false)
        }
        return nil
    }

    @discardableResult
    private mutating func count(_ name: String, isRead: Bool) -> String? {
        if isRead { counts[name, default: (0, 0)].read += 1 } else { counts[name, default: (0, 0)].refused += 1 }
        return nil
    }

    // MARK: - Packets

    private mutating func valid(_ kind: WorkerMessage) -> [UInt8] {
        var writer = MessagePackWriter()
        switch kind {
        case .ready, .pong, .result:
            header(.result, 2, &writer)
            value(&writer, depth: 0)
        case .raised:
            header(kind, 4, &writer)
            let links = random.number(in: 0...3)
            writer.appendArray(count: links)
            for _ in 0..<links {
                writer.appendArray(count: 4)
                for _ in 0..<3 { writer.append(text()) }
                if random.once(in: 2) { writer.appendNil() } else { writer.append(edge()) }
            }
            let kept = random.number(in: 0...2)
            writer.appendArray(count: kept)
            for _ in 0..<kept {
                writer.appendArray(count: 2)
                writer.append(edge())
                if random.once(in: 2) { writer.appendNil() } else { writer.append(text()) }
            }
            writer.append(random.once(in: 2) ? 0 : edge())
        case .misfit:
            header(kind, 2, &writer)
            writer.append(text())
        case .callback:
            header(kind, 3, &writer)
            writer.append(random.once(in: 4) ? edge() : 1)
            writer.appendArray(count: 4)
            writer.append(edge())
            numbers("d", &writer)
            writer.append(text())
            view(&writer)
        case .allocate:
            header(kind, 3, &writer)
            // What there is no memory for, and little.
            writer.append(random.once(in: 2) ? edge() : random.number(in: 0...10_000))
            writer.append(random.once(in: 4) ? edge() : random.number(in: 0...2))
        case .log:
            header(kind, 4, &writer)
            writer.append(edge())
            writer.append(text())
            writer.append(text())
        case .large:
            header(kind, 3, &writer)
            writer.append(memoryNumber())
            writer.append(random.once(in: 2) ? edge() : random.number(in: 0...200))
        }
        return writer.bytes
    }

    private func header(_ kind: WorkerMessage, _ count: Int, _ writer: inout MessagePackWriter) {
        writer.appendArray(count: count)
        writer.append(kind.rawValue)
    }

    private mutating func value(_ writer: inout MessagePackWriter, depth: Int) {
        switch random.number(in: 0...(depth < 3 ? 11 : 7)) {
        case 0: writer.appendNil()
        case 1: writer.append(random.once(in: 2))
        case 2: writer.append(edge())
        case 3: writer.append(random.next())
        case 4: writer.append(Double(bitPattern: random.next()))
        case 5: writer.append(text())
        case 6: writer.append(.complex) { $0.append(packed: bytes(16)) }
        case 7: numbers(random.once(in: 2) ? "d" : "q", &writer)
        case 8, 9: view(&writer)
        default:
            let count = random.number(in: 0...20)
            writer.appendArray(count: count)
            // Mostly of one kind.
            var one = MessagePackWriter()
            value(&one, depth: depth + 1)
            for _ in 0..<count {
                if random.once(in: 50) { value(&writer, depth: depth + 1) } else { writer.append(packed: one.bytes) }
            }
        }
    }

    private mutating func numbers(_ letter: Character, _ writer: inout MessagePackWriter) {
        writer.append(.list) { $0.append(packed: [letter.asciiValue ?? 0] + bytes(8 * random.number(in: 0...20))) }
    }

    private mutating func view(_ writer: inout MessagePackWriter) {
        let letters = random.element(of: ["B", "d", "i", "Zd", "l", "?", ">d", "", "B"])
        let dimensions = random.once(in: 3) ? random.number(in: 0...5) : 1
        let isEdge = random.once(in: 2)
        writer.append(.view) { writer in
            writer.appendArray(count: 6)
            writer.append(memoryNumber())
            writer.append(random.once(in: 3) ? edge() : 8 * random.number(in: 0...8))
            writer.append(letters)
            writer.append(random.once(in: 2))
            writer.appendArray(count: dimensions)
            for _ in 0..<dimensions { writer.append(isEdge ? edge() : random.number(in: 0...10)) }
            writer.appendArray(count: random.once(in: 30) ? dimensions + 1 : dimensions)
            let size = ["B": 1, "?": 1, "i": 4, "Zd": 16][letters] ?? 8
            for _ in 0..<dimensions {
                writer.append(isEdge && random.once(in: 2) ? edge() : size * random.element(of: [1, 1, 1, 2, 0, -1]))
            }
        }
    }

    private mutating func memoryNumber() -> UInt64 {
        if random.once(in: 20) { return random.next() >> UInt64(random.number(in: 0...63)) }
        return random.element(of: memory).storage.mapping?.number ?? 0
    }

    /// A number near where something ends or overflows.
    private mutating func edge() -> Int {
        let power = random.element(of: [0, 1, 3, 6, 12, 16, 31, 32, 40, 59, 60, 61, 62, 63])
        let near = (power == 63 ? Int.min : 1 << power) &+ random.number(in: -2...2)
        return random.once(in: 3) ? 0 &- near : near
    }

    private mutating func text() -> String {
        if random.once(in: 10) {
            return random.element(of: ["PythonBridge.Cancelled", "PythonBridge.DeadlineExceeded"])
        }
        return String(decoding: bytes(random.number(in: 0...40)), as: UTF8.self)
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    private mutating func change(_ packet: inout [UInt8]) {
        for _ in 0..<random.number(in: 1...3) {
            guard !packet.isEmpty else { return }
            let place = random.number(in: 0...packet.count - 1)
            switch random.number(in: 0...5) {
            case 0: packet[place] ^= 1 << UInt8(random.number(in: 0...7))
            case 1:
                packet[place] = random.element(of: [
                    0, 0x7F, 0x80, 0x90, 0xC0, 0xC3, 0xC9, 0xCF, 0xD3, 0xDB, 0xDD, 0xFF,
                ])
            case 2: packet.removeSubrange(place...)
            case 3: packet.insert(contentsOf: bytes(random.number(in: 1...9)), at: place)
            case 4: packet += packet[place...]
            default: for index in place..<min(place + 4, packet.count) { packet[index] = 0xFF }
            }
        }
    }

    /// Has memory hold a packet.
    private mutating func fillMemory() {
        let packet = valid(random.element(of: [.result, .log, .misfit, .large]))
        for buffer in memory {
            for (index, byte) in packet.prefix(buffer.count).enumerated() { buffer[index] = byte }
        }
    }
}
