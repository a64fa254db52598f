extension Amount {
    /// In a unit that leaves one to three digits before the point, such as `12.3 µs`.
    static func seconds(_ seconds: Double) -> String {
        let nanoseconds = seconds * 1e9
        return scaled(nanoseconds, by: 1000, [" ns", " µs", " ms", " s"])
    }

    /// Such as `7.63 MiB`, and whole numbers of bytes below 1 KiB.
    static func bytes(_ bytes: Int) -> String {
        bytes < 1024 ? "\(bytes) B" : scaled(Double(bytes), by: 1024, [" B", " KiB", " MiB", " GiB", " TiB"])
    }

    /// With three significant digits, or more if there are more before the point.
    static func significant(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        let digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return digits > 0 ? fixed(value, digits: digits) : number(Int(value.rounded()))
    }

    private static func scaled(_ value: Double, by factor: Double, _ units: [String]) -> String {
        var (value, unit) = (value, 0)
        while value >= 999.5, unit < units.count - 1 {
            value /= factor
            unit += 1
        }
        return significant(value) + units[unit]
    }
}
