import Outliers
import PythonBridge

/// Numbers in comma- or tab-separated text (RFC 4180): quoted cells, CRLF, a header or none, a byte order mark or none.
///
/// The first row is a header if one of its cells is neither empty nor a number. An empty cell is a missing sample, NaN. Empty lines
/// are no rows, but between the rows of a file with one column they are empty cells.
struct DelimitedText {
    private let file: InputFile
    private let delimiter: UInt8
    private let columns: ColumnChoice
    private let hasHeader: Bool

    init(_ file: InputFile, delimiter: Unicode.Scalar) throws(Failure) {
        self.file = file
        self.delimiter = UInt8(ascii: delimiter)
        var rows = RowScanner(file.bytes, delimiter: self.delimiter)
        var cells: [String] = []
        var row = RowScanner.Row(of: file.bytes)
        while cells.isEmpty, try rows.next(&row, in: file) {
            if !row.isBlank { cells = row.texts }
        }
        guard !cells.isEmpty else { throw Failure(.badData, "\(file.name): there is no row in it") }
        hasHeader = cells.contains { !$0.isEmpty && Self.number($0) == nil }
        columns = hasHeader ? ColumnChoice(names: cells) : ColumnChoice(count: cells.count)
    }

    func load(column choice: String?) throws(Failure) -> LoadedSamples {
        let column = try columns.index(of: choice, in: file)
        var samples = SampleSpool(file.name)
        let reading = Reading(file)
        try eachRow { row throws(Failure) in
            try samples.append(try number(in: row, column: column))
            if samples.count.isMultiple(of: 1 << 16) { reading.update(row.end) }
        }
        return LoadedSamples(series: try samples.finish()) { [self] index in
            "line \(line(ofRow: index)), column \(columns.name(column))"
        }
    }

    /// Calls `body` with each row of samples.
    private func eachRow(_ body: (RowScanner.Row) throws(Failure) -> Void) throws(Failure) {
        var rows = RowScanner(file.bytes, delimiter: delimiter)
        var isHeader = hasHeader
        var isFirst = true
        var blankRows: Range<Int>?
        var row = RowScanner.Row(of: file.bytes)
        while try rows.next(&row, in: file) {
            if row.isBlank {
                // Empty lines at the end are nothing; whether these are shows when a row follows.
                guard columns.count == 1, !isHeader, !isFirst else { continue }
                blankRows = (blankRows?.lowerBound ?? row.line)..<row.line + 1
                continue
            }
            isFirst = false
            if isHeader {
                isHeader = false
                continue
            }
            if let lines = blankRows {
                var blank = RowScanner.Row(blankBefore: row)
                for line in lines {
                    blank.line = line
                    try body(blank)
                }
                blankRows = nil
            }
            guard row.cells.count == columns.count else {
                throw Failure(
                    .badData,
                    "\(file.name): line \(row.line) has \(row.cells.count) columns instead of \(columns.count)")
            }
            try body(row)
        }
    }

    private func number(in row: RowScanner.Row, column: Int) throws(Failure) -> Double {
        if row.isBlank { return .nan }
        if let number = row.number(column) { return number }
        let text = row.text(column)
        if let number = Self.number(text) { return number }
        if text.isEmpty { return .nan }
        throw Failure(
            .badData,
            "\(file.name): line \(row.line), column \(columns.name(column)): '\(text.prefix(40))' is not a number")
    }

    /// The line on which the row of the sample at `index` starts.
    private func line(ofRow index: Int) -> Int {
        var line = 0
        var row = 0
        try? eachRow { current throws(Failure) in
            if row == index { line = current.line }
            row += 1
        }
        return line
    }

    /// A decimal number, `nan` or `inf`; not what `Double` reads too: hexadecimal, `nan(1)`, anything behind a zero byte.
    private static func number(_ text: String) -> Double? {
        text.utf8.contains(where: {
            $0 | 0x20 == UInt8(ascii: "x") || $0 | 0x20 == UInt8(ascii: "p") || $0 == UInt8(ascii: "(") || $0 == 0
        }) ? nil : Double(text)
    }
}

/// Splits bytes into rows of cells.
struct RowScanner {
    struct Row {
        private let bytes: SharedBuffer<UInt8>
        /// The line on which the row starts, counted from 1.
        fileprivate(set) var line = 0
        /// Where each cell is, without its quotes.
        fileprivate(set) var cells: [Range<Int>] = []
        /// Where the next row starts.
        fileprivate(set) var end = 0

        init(of bytes: SharedBuffer<UInt8>) {
            self.bytes = bytes
        }

        /// A row without anything in it.
        fileprivate init(blankBefore next: Row) {
            bytes = next.bytes
            cells = [0..<0]
            end = next.end
        }

        var isBlank: Bool { cells.count == 1 && cells[0].isEmpty }
        var texts: [String] { cells.indices.map(text) }

        /// The number that a cell is, if it is one of the simplest form.
        func number(_ cell: Int) -> Double? { PlainNumber.value(of: bytes.span.extracting(cells[cell])) }

        /// A cell without the spaces around it, with doubled quotes made single.
        func text(_ cell: Int) -> String {
            let text = String(decoding: bytes.extracting(cells[cell]), as: UTF8.self)
            let trimmed = text.trimmingSpaces
            guard trimmed.utf8.contains(UInt8(ascii: "\"")) else { return trimmed }
            return trimmed.split(separator: "\"\"", omittingEmptySubsequences: false).joined(separator: "\"")
        }
    }

    private let bytes: SharedBuffer<UInt8>
    private let delimiter: UInt8
    private var position: Int
    private var line = 1

    init(_ bytes: SharedBuffer<UInt8>, delimiter: UInt8) {
        self.bytes = bytes
        self.delimiter = delimiter
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        position = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    }

    /// Reads the next row into `row`, whose memory is used again; returns false at the end.
    mutating func next(_ row: inout Row, in file: InputFile) throws(Failure) -> Bool {
        let bytes = bytes
        let span = bytes.span
        guard position < span.count else { return false }
        row.line = line
        row.cells.removeAll(keepingCapacity: true)
        while true {
            row.cells.append(try nextCell(in: span, file: file))
            guard position < span.count else { break }
            let byte = span[position]
            position += 1
            if byte == delimiter { continue }
            if byte == Self.carriageReturn, position < span.count, span[position] == Self.newline { position += 1 }
            line += 1
            break
        }
        row.end = position
        return true
    }

    /// Moves to the delimiter or the line end behind the next cell.
    private mutating func nextCell(in span: Span<UInt8>, file: InputFile) throws(Failure) -> Range<Int> {
        if position < span.count, span[position] == Self.quote { return try nextQuotedCell(in: span, file: file) }
        let start = position
        while position < span.count {
            let byte = span[position]
            if byte == delimiter || byte == Self.newline { break }
            if byte == Self.carriageReturn, position + 1 == span.count || span[position + 1] == Self.newline { break }
            position += 1
        }
        return start..<position
    }

    private mutating func nextQuotedCell(in span: Span<UInt8>, file: InputFile) throws(Failure) -> Range<Int> {
        let startLine = line
        position += 1
        let start = position
        while position < span.count {
            if span[position] == Self.newline { line += 1 }
            if span[position] == Self.quote {
                guard position + 1 < span.count, span[position + 1] == Self.quote else { break }
                position += 1
            }
            position += 1
        }
        guard position < span.count else {
            throw Failure(.badData, "\(file.name): line \(startLine): a quoted cell does not end")
        }
        let cell = start..<position
        position += 1
        guard position == span.count || [delimiter, Self.newline, Self.carriageReturn].contains(span[position]) else {
            throw Failure(.badData, "\(file.name): line \(line): there is text behind a quoted cell")
        }
        return cell
    }

    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let quote = UInt8(ascii: "\"")
}

extension String {
    fileprivate var trimmingSpaces: String {
        guard let first = utf8.first, let last = utf8.last else { return self }
        if first > 0x20 && last > 0x20 { return self }
        return String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
