/// What was read during a soak.
struct SoakRecord: Sendable {
    /// At equal distances, or larger ones where a reading takes long; the first one before the first call.
    let readings: [SoakReading]
    let end: SoakReading
    /// After free memory was given back: at the end of the warm-up, if it came so far, and at the end. Empty when that was not asked for.
    let trimmed: [SoakReading]

    /// The readings after the first tenth of the calls, and the last one.
    var settled: [SoakReading] {
        let warmUp = Soak.warmUp * Double(end.calls)
        var settled = readings.filter { Double($0.calls) >= warmUp && $0.calls > 0 && $0.calls < end.calls }
        if end.calls > 0 { settled.append(end) }
        return settled
    }

    /// The level that a soak without a leak stays at: of each measure the median of the readings from a tenth to three tenths of the
    /// calls, or the first one after the warm-up where none is; nil without a call.
    var plateau: SoakReading? {
        let settled = settled
        let early = settled.filter { Double($0.calls) <= 3 * Soak.warmUp * Double(end.calls) }
        let window = early.isEmpty ? Array(settled.prefix(1)) : early
        guard let calls = median(window, \.calls), let seconds = median(window, \.seconds),
            let resident = median(window, \.resident), let heap = median(window, \.heap),
            let exporters = median(window, \.exporters), let descriptors = median(window, \.descriptors)
        else { return nil }
        return SoakReading(
            calls: calls, seconds: seconds, resident: resident, heap: heap,
            pythonBlocks: median(window.compactMap(\.pythonBlocks), \.self), exporters: exporters,
            descriptors: descriptors)
    }

    /// How a measure changes with the calls, after the warm-up.
    func trend(of measure: SoakMeasure) -> Trend? {
        Trend(settled.map { (x: Double($0.calls), y: Double(measure.value($0))) })
    }
}

/// The middle one of the values, the lower one of two; nil of none.
func median<Element, Value: Comparable>(_ elements: [Element], _ value: (Element) -> Value) -> Value? {
    elements.isEmpty ? nil : elements.map(value).sorted()[(elements.count - 1) / 2]
}
