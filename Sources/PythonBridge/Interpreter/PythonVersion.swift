internal import CShim

/// A minor version of Python, the unit in which libraries and environments fit together.
public struct PythonVersion: Sendable, Hashable {
    /// 3.
    public let major: Int
    /// 11 of 3.11.
    public let minor: Int

    /// Reads `3.11`, `3.11.2` or `3.11.2.final.0`; nil for other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".")
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        self.major = major
        self.minor = minor
    }

    /// The version of the libpython that this program is linked with. Source: `Py_GetVersion`.
    public static var linked: PythonVersion {
        let version = Int(cshim_version())
        return PythonVersion(major: version >> 8, minor: version & 0xFF)
    }

    private init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }
}

extension PythonVersion: CustomStringConvertible {
    /// `3.11`.
    public var description: String { "\(major).\(minor)" }
}
