import Glibc

/// Numbers and sizes as people read them.
enum Amount {
    /// With a separator for thousands; two digits that say something where it is below ten.
    static func number(_ value: Double) -> String {
        let size = value.magnitude
        guard size.isFinite, size < 1e18 else { return "\(value)" }
        if size >= 9.95 || value == value.rounded() { return number(Int(value.rounded())) }
        return fixed(value, digits: size < 1e-6 ? 6 : max(1, 1 - Int(log10(size).rounded(.down))))
    }

    static func number(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// In MiB with two digits, such as `31.25 MiB`.
    static func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / Double(1 << 20), digits: 2) + " MiB" }

    /// With its sign.
    static func change(_ bytes: Int) -> String { (bytes < 0 ? "" : "+") + mebibytes(bytes) }

    /// With so many digits behind the point.
    static func fixed(_ value: Double, digits: Int) -> String {
        let scale = pow(10, Double(digits))
        let units = Int((value.magnitude * scale).rounded())
        let fraction = String(units % Int(scale))
        let padding = String(repeating: "0", count: digits - fraction.count)
        return "\(value < 0 && units > 0 ? "-" : "")\(units / Int(scale)).\(padding)\(fraction)"
    }
}
