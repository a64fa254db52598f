extension BenchReport {
    /// For people: a table for each size, and which engine to pick there.
    var text: String {
        var text = system.text + "\n\(data) samples, threshold \(threshold)\n"
        for size in sizes { text += "\n" + size.text }
        if !unavailable.isEmpty { text += "\n" }
        for row in unavailable {
            let size = row.samples.map { " on \(Amount.number($0)) samples" } ?? ""
            text += "\(row.engine) cannot run\(size): \(row.reason)\n"
        }
        return text
    }
}

extension BenchReport.Size {
    fileprivate var text: String {
        var table = Table(heading: [
            "engine", "median", "quartiles", "runs", "÷ fastest", "÷ one-liner", "copied", "extra memory",
        ])
        for row in engines {
            table.append([
                row.name, Amount.seconds(row.median),
                "\(Amount.seconds(row.lowerQuartile)) – \(Amount.seconds(row.upperQuartile))", "\(row.runs)",
                Amount.significant(row.ratioToFastest), row.ratioToOneLiner.map(Amount.significant) ?? "–",
                Amount.bytes(row.bytesCopied), row.peakExtraBytes.map(Amount.bytes) ?? "–",
            ])
        }
        let bytes = Amount.bytes(samples * MemoryLayout<Double>.stride)
        return """
            \(Amount.number(samples)) sample\(samples == 1 ? "" : "s") (\(bytes)), \
            \(Amount.number(outliers)) outlier\(outliers == 1 ? "" : "s")
            \(table.text)\(pick.text)
            """
    }
}

extension BenchReport.Pick {
    fileprivate var text: String {
        let words = [
            fastest, python.map { "\($0) where it has to be Python" },
            isolated.map { "\($0) where a crash must not take the program with it" },
        ]
        let picks = words.compactMap(\.self)
        return picks.isEmpty ? "" : "pick: \(picks.joined(separator: "; "))\n"
    }
}
