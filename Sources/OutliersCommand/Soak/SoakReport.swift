/// What a soak found, and the two ways to print it.
struct SoakReport {
    /// What was called: an engine's name, or `module:function`.
    let call: String
    let samples: Int
    let record: SoakRecord
    let verdict: SoakVerdict

    init(call: String, samples: Int, record: SoakRecord) {
        self.call = call
        self.samples = samples
        self.record = record
        verdict = SoakVerdict(record)
    }

    private var callsPerSecond: Double {
        record.end.seconds > 0 ? Double(record.end.calls) / record.end.seconds : 0
    }

    /// Where resident memory goes, after the warm-up; nil where that is too short to tell.
    var trend: Trend? { verdict == .tooShort ? nil : record.trend(of: .resident) }

    // MARK: - For people

    var text: String {
        let seconds = "\((record.end.seconds * 10).rounded() / 10)"
        var lines = [
            "\(call): \(Amount.number(record.end.calls)) calls on \(Amount.number(samples)) samples in \(seconds) s of calls, "
                + "\(Amount.number(callsPerSecond)) a second", "", table.text,
        ]
        if let trend {
            let error = trend.standardError.map { " ± \(Amount.number($0 * 1e6))" } ?? ""
            lines.append(
                "slope: \(Amount.number(trend.slope * 1e6))\(error) bytes per million calls, over the "
                    + "\(record.settled.count) readings after the first tenth of the calls")
        }
        return (lines + [verdict.text, ""]).joined(separator: "\n")
    }

    private var table: Table {
        var columns: [(String, SoakReading)] = [("start", record.readings[0])]
        if let plateau = record.plateau { columns.append(("plateau", plateau)) }
        columns.append(("end", record.end))
        if record.trimmed.count == 2 {
            columns += zip(["trimmed: early", "at the end"], record.trimmed)
        }
        var table = Table(heading: [""] + columns.map { $0.0 })
        for measure in SoakMeasure.allCases where measure != .pythonBlocks || record.end.pythonBlocks != nil {
            table.append(
                [measure.name]
                    + columns.map { _, reading in
                        let value = measure.value(reading)
                        return measure.isBytes ? Amount.mebibytes(value) : Amount.number(value)
                    })
        }
        return table
    }

    // MARK: - For programs

    private struct Document: Encodable {
        struct Slope: Encodable {
            let bytesPerMillionCalls: Double
            let standardError: Double?
            let readings: Int
        }
        struct Verdict: Encodable {
            let name: String
            let text: String
            let measure: SoakMeasure?
            let perCall: Double?
        }
        let call: String
        let samples: Int
        let calls: Int
        let seconds: Double
        let callsPerSecond: Double
        let start: SoakReading
        let plateau: SoakReading?
        let end: SoakReading
        let trimmed: [SoakReading]
        let slope: Slope?
        let verdict: Verdict
        let readings: [SoakReading]
    }

    func json() throws(Failure) -> String {
        let growth: (SoakMeasure, Double)? =
            switch verdict {
            case .leak(let measure, let perCall, _), .retention(let measure, let perCall): (measure, perCall)
            case .noLeak, .tooShort: nil
            }
        return try JSON.line(
            Document(
                call: call, samples: samples, calls: record.end.calls, seconds: record.end.seconds,
                callsPerSecond: callsPerSecond, start: record.readings[0], plateau: record.plateau, end: record.end,
                trimmed: record.trimmed,
                slope: trend.map {
                    Document.Slope(
                        bytesPerMillionCalls: $0.slope * 1e6, standardError: $0.standardError.map { $0 * 1e6 },
                        readings: record.settled.count)
                },
                verdict: Document.Verdict(
                    name: verdict.name, text: verdict.text, measure: growth?.0, perCall: growth?.1),
                readings: record.readings))
    }
}
