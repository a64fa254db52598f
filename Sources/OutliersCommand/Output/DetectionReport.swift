import Outliers
import PythonBridge

/// The result of a detection, and the three ways to print it.
struct DetectionReport {
    let series: any SampleSeries
    let indices: SharedBuffer<Int>
    let moments: Moments
    let threshold: Double
    let engine: OutlierDetector.Engine

    /// Just the list: `[8, 24, 42]`.
    static func list(_ indices: SharedBuffer<Int>, file: String? = nil) -> Printout {
        Printout((file.map { "\($0): " } ?? "") + "[", indices, separator: ", ", "]\n")
    }

    /// One JSON object on one line.
    ///
    /// - Parameter file: The file's name, where there are several.
    func json(file: String? = nil) -> Printout {
        let name = file.map { "\"file\":\(Self.json($0))," } ?? ""
        return Printout(
            "{\(name)\"count\":\(indices.count),\"indices\":[", indices, separator: ",",
            "],\"samples\":\(series.count),"
                + "\"mean\":\(Self.json(moments.mean)),\"standardDeviation\":\(Self.json(moments.standardDeviation)),"
                + "\"threshold\":\(Self.json(threshold)),\"engine\":\"\(engine.rawValue)\"}\n")
    }

    /// A table for people, which ends with the list; long ones are cut.
    var table: String {
        let shown = 20
        let distance = threshold * moments.standardDeviation
        var text = """
            \(indices.count) of \(series.count) samples are further than \(Self.number(threshold)) standard deviations \
            from the mean
            mean \(Self.rounded(moments.mean)), standard deviation \(Self.rounded(moments.standardDeviation)), \
            bounds \(Self.rounded(moments.mean - distance)) and \(Self.rounded(moments.mean + distance)) \
            (engine: \(engine.rawValue))

            """
        if !indices.isEmpty { text += "\n" + Self.row("index", "value") }
        for index in indices.prefix(shown) { text += Self.row("\(index)", Self.number(series.value(at: index))) }
        if indices.count > shown { text += "\(indices.count - shown) more: --indices prints them all\n" }
        if !indices.isEmpty { text += "\n" }
        let list = indices.prefix(shown).map(String.init).joined(separator: ", ")
        return text + "[\(list)\(indices.count > shown ? ", …" : "")]\n"
    }

    private static func row(_ index: String, _ value: String) -> String {
        pad(index, to: 10) + pad(value, to: 16) + "\n"
    }

    private static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    /// Text as JSON has it. Source: RFC 8259, section 7.
    private static func json(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..<" ":
                quoted +=
                    "\\u" + String(repeating: "0", count: scalar.value < 16 ? 3 : 2) + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// JSON has no NaN and no infinity: they become null.
    private static func json(_ value: Double) -> String { value.isFinite ? number(value) : "null" }

    /// The shortest text that reads as the same number, a whole one without `.0`.
    private static func number(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// Six significant digits.
    private static func rounded(_ value: Double) -> String {
        guard value.isFinite, value != 0, abs(value) < 1e15, abs(value) > 1e-4 else { return number(value) }
        var scale = 1.0
        while abs(value) * scale < 100_000 { scale *= 10 }
        return number((value * scale).rounded() / scale)
    }
}
