import FoundationEssentials
import Testing

/// A directory of one test's own. It goes away with the suite that holds it, which is made anew for each test.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/outliers-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    subscript(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file; its path.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: self[name]))
        return self[name]
    }

    /// Writes a text file; its path.
    func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }

    /// Makes a directory; its path.
    func directory(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: self[name], withIntermediateDirectories: true)
        return self[name]
    }

    /// Makes a symbolic link; its path.
    func link(_ name: String, to target: String) throws -> String {
        try FileManager.default.createSymbolicLink(atPath: self[name], withDestinationPath: target)
        return self[name]
    }

    /// Saves the array that a numpy expression makes; its path.
    func numpy(_ name: String, _ expression: String) async throws -> String {
        try await python("import sys, numpy as np\nnp.save(sys.argv[1], \(expression))", self[name])
        return self[name]
    }

    /// A virtual environment without any package but those of the shared one that are named, and modules of its own.
    func environment(
        _ packages: String..., modules: [String: String] = [:], name: String = "env"
    ) async throws -> String {
        let site = try await python(
            """
            import glob, os, subprocess, sys, sysconfig
            subprocess.run([sys.executable, '-m', 'venv', '--without-pip', sys.argv[1]], check=True)
            site = sysconfig.get_path('purelib', vars={'base': sys.argv[1]})
            for package in sys.argv[2].split():
                for path in glob.glob(sysconfig.get_path('purelib') + '/' + package + '*'):
                    os.symlink(path, os.path.join(site, os.path.basename(path)))
            print(os.path.relpath(site, sys.argv[3]), end='')
            """, self[name], packages.joined(separator: " "), path)
        for (module, source) in modules {
            _ = try directory("\(site)/\(module.prefix { $0 != "/" })")
            _ = try file("\(site)/\(module)", source)
        }
        return self[name]
    }

    func contents(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: self[name])))
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path) }
    }
}

/// The Nile's volume from 1871 to 1970.
let nile = Program.checkout + "/Tests/Fixtures/nile.csv"

/// What numpy's one-liner finds in the array `x` that a statement makes; `path` names a file.
func numpyOutliers(_ statement: String, path: String = "", threshold: String = "2") async throws -> [Int] {
    let printed = try await python(
        """
        import sys, json, numpy as np
        path = sys.argv[1]
        \(statement)
        x = np.asarray(x, np.float64)
        print(json.dumps(np.flatnonzero(np.abs(x - x.mean()) > \(threshold) * x.std()).tolist()))
        """, path)
    return try JSONDecoder().decode([Int].self, from: Data(printed.utf8))
}
