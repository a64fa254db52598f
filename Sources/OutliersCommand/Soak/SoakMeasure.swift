/// What a leak makes grow.
enum SoakMeasure: String, CaseIterable, Encodable, Sendable {
    case resident, heap, pythonBlocks, exporters, descriptors

    func value(_ reading: SoakReading) -> Int {
        switch self {
        case .resident: reading.resident
        case .heap: reading.heap
        case .pythonBlocks: reading.pythonBlocks ?? 0
        case .exporters: reading.exporters
        case .descriptors: reading.descriptors
        }
    }

    /// Growth below this is no leak yet: pages, arenas and caches come in pieces.
    var least: Double {
        switch self {
        case .resident: 262_144
        case .heap: 65_536
        case .pythonBlocks: 1000
        case .exporters, .descriptors: 16
        }
    }

    /// As it is called in the report.
    var name: String {
        switch self {
        case .resident: "resident memory"
        case .heap: "heap (malloc)"
        case .pythonBlocks: "blocks of Python"
        case .exporters: "exporters alive"
        case .descriptors: "open descriptors"
        }
    }

    var isBytes: Bool { self == .resident || self == .heap }

    /// So many of it.
    func amount(_ value: Double) -> String {
        let number = Amount.number(value)
        let plural = number == "1" ? "" : "s"
        return switch self {
        case .resident, .heap: "\(number) byte\(plural)"
        case .pythonBlocks: "\(number) block\(plural) of Python"
        case .exporters: "\(number) exporter\(plural)"
        case .descriptors: "\(number) descriptor\(plural)"
        }
    }
}
