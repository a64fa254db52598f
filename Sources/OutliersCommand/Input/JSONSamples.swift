import Outliers
import PythonBridge

/// Numbers in JSON: an array of numbers, an object of such arrays by column, or an array of objects by row. `null` is a missing
/// sample; `NaN` and `Infinity`, which Python writes, are read too.
///
/// An array is read in one pass. Of a table a pass before that tells which columns there are.
struct JSONSamples {
    private let file: InputFile

    init(_ file: InputFile) {
        self.file = file
    }

    func load(column: String?) throws(Failure) -> LoadedSamples {
        var scanner = JSONScanner(file)
        if scanner.take("{") { return try columns(column) }
        if scanner.take("[") { return scanner.peek() == UInt8(ascii: "{") ? try rows(column) : try list(column) }
        try scanner.skipValue()
        try scanner.expectEnd()
        throw bad("the document is neither an array nor an object of arrays")
    }

    private func bad(_ problem: String) -> Failure { Failure(.badData, "\(file.name): \(problem)") }

    // MARK: - The three shapes

    private func list(_ choice: String?) throws(Failure) -> LoadedSamples {
        try ColumnChoice(count: 1).check(choice, in: file)
        var scanner = JSONScanner(file)
        let series = try numbers(&scanner, Reading(file), of: "")
        try scanner.expectEnd()
        return LoadedSamples(series: series) { "item \($0)" }
    }

    private func columns(_ choice: String?) throws(Failure) -> LoadedSamples {
        var scanner = JSONScanner(file)
        var reading = Reading(file, passes: 2)
        var columns: [(name: String, start: Int)] = []
        _ = scanner.take("{")
        while try scanner.hasNext(before: "}", isFirst: columns.isEmpty) {
            columns.append((try scanner.key(), scanner.position))
            if scanner.peek() == UInt8(ascii: "[") {
                try items(&scanner, reading) { scanner, _ throws(Failure) in try scanner.skipValue() }
            } else {
                try scanner.skipValue()
            }
        }
        try scanner.expectEnd()
        columns.sort { ($0.name, $0.start) < ($1.name, $1.start) }
        let (name, start) = columns[try ColumnChoice(names: columns.map(\.name)).index(of: choice, in: file)]
        reading.nextPass()
        scanner = JSONScanner(file, from: start)
        guard scanner.peek() == UInt8(ascii: "[") else { throw bad("'\(name)' is not an array of numbers") }
        return LoadedSamples(series: try numbers(&scanner, reading, of: "'\(name)' ")) { "item \($0) of '\(name)'" }
    }

    private func rows(_ choice: String?) throws(Failure) -> LoadedSamples {
        var scanner = JSONScanner(file)
        var reading = Reading(file, passes: 2)
        var found: Set<String> = []
        try items(&scanner, reading) { scanner, item throws(Failure) in
            try members(&scanner, item) { scanner, key throws(Failure) in
                found.insert(key)
                try scanner.skipValue()
            }
        }
        try scanner.expectEnd()
        let names = found.sorted()
        let name = names[try ColumnChoice(names: names).index(of: choice, in: file)]
        reading.nextPass()
        scanner = JSONScanner(file)
        var samples = SampleSpool(file.name)
        try items(&scanner, reading) { scanner, item throws(Failure) in
            var sample = Double.nan
            try members(&scanner, item) { scanner, key throws(Failure) in
                guard key == name else { return try scanner.skipValue() }
                guard let number = try scanner.number() else { throw bad("item \(item) '\(name)' is not a number") }
                sample = number
            }
            try samples.append(sample)
        }
        return LoadedSamples(series: try samples.finish()) { "item \($0), '\(name)'" }
    }

    // MARK: - Parts

    private func numbers(
        _ scanner: inout JSONScanner, _ reading: Reading, of place: String
    ) throws(Failure) -> StridedView<Double> {
        var samples = SampleSpool(file.name)
        try items(&scanner, reading) { scanner, item throws(Failure) in
            guard let number = try scanner.number() else { throw bad("\(place)item \(item) is not a number") }
            try samples.append(number)
        }
        return try samples.finish()
    }

    /// Calls `body` with each item of an array, which it goes behind.
    private func items(
        _ scanner: inout JSONScanner, _ reading: Reading,
        _ body: (inout JSONScanner, _ item: Int) throws(Failure) -> Void
    ) throws(Failure) {
        try scanner.expect("[")
        var item = 0
        while try scanner.hasNext(before: "]", isFirst: item == 0) {
            try body(&scanner, item)
            item += 1
            if item.isMultiple(of: 1 << 16) { reading.update(scanner.position) }
        }
    }

    /// Calls `body` with the name of each member of a row, to go behind its value.
    private func members(
        _ scanner: inout JSONScanner, _ item: Int,
        _ body: (inout JSONScanner, _ key: String) throws(Failure) -> Void
    ) throws(Failure) {
        guard scanner.take("{") else {
            try scanner.skipValue()
            throw bad("item \(item) is not an object")
        }
        var isFirst = true
        while try scanner.hasNext(before: "}", isFirst: isFirst) {
            try body(&scanner, try scanner.key())
            isFirst = false
        }
    }
}
