import ArgumentParser
import Outliers
import PythonBridge

/// The formats that samples are read from.
enum SampleFormat: String, CaseIterable, ExpressibleByArgument {
    case npy, csv, tsv, json, f64

    /// The format that a file's ending tells.
    init?(ending path: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
        self.init(rawValue: path[path.index(after: dot)...].lowercased())
    }
}

/// A file's samples, and where each of them is in the file.
struct LoadedSamples {
    let series: any SampleSeries
    /// Names the place of a sample, such as "line 5, column 'volume'".
    let position: (Int) -> String
}

extension SampleFormat {
    /// Reads the samples of a file.
    ///
    /// - Parameter column: The name or the number of a column, where the file has several.
    /// - Throws: ``Failure`` with ``Failure/Code/badData`` when the file is not of this format or has no such column.
    func load(_ file: InputFile, column: String?) throws(Failure) -> LoadedSamples {
        switch self {
        case .npy: try NumpyFile(file).load(column: column)
        case .csv: try DelimitedText(file, delimiter: ",").load(column: column)
        case .tsv: try DelimitedText(file, delimiter: "\t").load(column: column)
        case .json: try JSONSamples(file).load(column: column)
        case .f64: try Self.loadDoubles(file, column: column)
        }
    }

    /// Little-endian doubles, one after the other, used where they are.
    private static func loadDoubles(_ file: InputFile, column: String?) throws(Failure) -> LoadedSamples {
        try ColumnChoice(count: 1).check(column, in: file)
        do throws(PythonError) {
            let samples = StridedView(try SharedBuffer<Double>(reinterpreting: file.bytes))
            return LoadedSamples(series: samples) { "sample \($0)" }
        } catch {
            throw Failure(.badData, "\(file.name): \(error)")
        }
    }
}

/// Which of a table's columns is meant.
struct ColumnChoice {
    /// The columns' names; empty where they have none.
    let names: [String]
    let count: Int

    init(names: [String]) {
        self.names = names
        count = names.count
    }

    init(count: Int) {
        names = []
        self.count = count
    }

    /// The index, counted from 0, of the column that `choice` names, or numbers from 1.
    ///
    /// - Throws: ``Failure``, listing the columns: with ``Failure/Code/badData`` when there is no such column, with
    ///   ``Failure/Code/usage`` when there are several and none was chosen.
    func index(of choice: String?, in file: InputFile) throws(Failure) -> Int {
        guard count > 0 else { throw Failure(.badData, "\(file.name): there is no column in it") }
        guard let choice else {
            if count == 1 { return 0 }
            throw Failure(.usage, "\(file.name): choose one of the columns with --column: \(list)")
        }
        if names.filter({ $0 == choice }).count > 1 {
            throw Failure(.usage, "\(file.name): several columns are called '\(choice)': give the number of one")
        }
        if let index = names.firstIndex(of: choice) { return index }
        if let number = Int(choice), number >= 1, number <= count { return number - 1 }
        throw Failure(.badData, "\(file.name): there is no column '\(choice)'; there are: \(list)")
    }

    /// Throws unless `choice` is nil or names one of the columns.
    func check(_ choice: String?, in file: InputFile) throws(Failure) {
        _ = try index(of: choice, in: file)
    }

    /// The name of a column for messages: quoted, or its number.
    func name(_ index: Int) -> String { names.isEmpty ? "\(index + 1)" : "'\(names[index])'" }

    private var list: String {
        let shown = 20
        if names.isEmpty { return count == 1 ? "1" : "1 to \(count)" }
        return names.prefix(shown).map { "'\($0)'" }.joined(separator: ", ") + (count > shown ? ", …" : "")
    }
}
