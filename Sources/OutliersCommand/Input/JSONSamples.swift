import FoundationEssentials
import Outliers
import PythonBridge

/// Numbers in JSON: an array of numbers, an object of such arrays by column, or an array of objects by row. `null` is a missing
/// sample; `NaN` and `Infinity`, which Python writes, are read too.
struct JSONSamples {
    private let file: InputFile

    init(_ file: InputFile) {
        self.file = file
    }

    func load(column: String?) throws(Failure) -> LoadedSamples {
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true
        let table: Table
        do {
            table = try decoder.decode(Table.self, from: Data(file.bytes))
        } catch let error as DecodingError {
            throw Failure(.badData, "\(file.name): \(error.summary)")
        } catch {
            throw Failure(.badData, "\(file.name): it is not JSON")
        }
        let (samples, name) = try table.samples(column: column, in: file)
        let numbers = samples.map { $0 ?? .nan }
        return LoadedSamples(series: StridedView(SharedBuffer(sharing: numbers))) { "item \($0)\(name)" }
    }
}

extension JSONSamples {
    /// The three shapes of a document.
    private enum Table: Decodable {
        case list([Double?])
        case columns([String: Checked<[Double?]>])
        case rows([[String: Checked<Double?>]])

        init(from decoder: any Decoder) throws {
            if let container = try? decoder.unkeyedContainer() {
                var first = container
                if !first.isAtEnd, (try? first.nestedContainer(keyedBy: AnyKey.self)) != nil {
                    self = .rows(try [[String: Checked<Double?>]](from: decoder))
                } else {
                    self = .list(try [Double?](from: decoder))
                }
            } else {
                self = .columns(try [String: Checked<[Double?]>](from: decoder))
            }
        }

        func samples(column: String?, in file: InputFile) throws(Failure) -> ([Double?], String) {
            switch self {
            case .list(let list):
                try ColumnChoice(count: 1).check(column, in: file)
                return (list, "")
            case .columns(let columns):
                let names = columns.keys.sorted()
                let name = names[try ColumnChoice(names: names).index(of: column, in: file)]
                return (try columns[name]?.value(in: file) ?? [], " of '\(name)'")
            case .rows(let rows):
                let names = Set(rows.flatMap(\.keys)).sorted()
                let name = names[try ColumnChoice(names: names).index(of: column, in: file)]
                var samples: [Double?] = []
                for row in rows { samples.append(try row[name]?.value(in: file) ?? nil) }
                return (samples, ", '\(name)'")
            }
        }
    }

    /// A value that may turn out to be text, or a list, which matters only if it is of the column that was chosen.
    private struct Checked<Value: Decodable>: Decodable {
        private let result: Result<Value, DecodingError>

        init(from decoder: any Decoder) throws {
            do {
                result = .success(try Value(from: decoder))
            } catch let error as DecodingError {
                result = .failure(error)
            }
        }

        func value(in file: InputFile) throws(Failure) -> Value {
            do throws(DecodingError) {
                return try result.get()
            } catch {
                throw Failure(.badData, "\(file.name): \(error.summary)")
            }
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }
}

extension DecodingError {
    /// What is wrong and where, in a few words.
    fileprivate var summary: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context):
            let path = context.codingPath.map { $0.intValue.map { "item \($0)" } ?? "'\($0.stringValue)'" }
            let place = path.isEmpty ? "the document" : path.joined(separator: " ")
            return path.isEmpty ? "\(place) is neither an array nor an object of arrays" : "\(place) is not a number"
        case .dataCorrupted(let context):
            let reason = context.underlyingError.map { "\($0)" } ?? context.debugDescription
            return "it is not JSON: \(reason.firstLine)"
        @unknown default:
            return "it is not JSON"
        }
    }
}
