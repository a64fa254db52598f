import FoundationEssentials
import Testing

/// Wrong usage, and inputs that cannot be read.
@Suite struct FailureTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    // MARK: Usage

    @Test(arguments: [
        (["--frobnicate"], "--frobnicate"), (["frobnicate"], "frobnicate"),
        (["detect", "--frobnicate"], "--frobnicate"),
        (["demo", "x"], "'x'"), (["doctor", "x"], "'x'"),
        (["demo", "--json"], "--json"), (["detect", nile, "--engine"], "--engine"),
        (["detect", nile, "--engine", "warp"], "'embedded', 'copying', 'worker', 'subprocess' or 'native'"),
        (["demo", "--engine", "warp"], "'embedded', 'copying', 'worker', 'subprocess' or 'native'"),
        (["detect", nile, "--nan", "keep"], "--nan"),
        (["detect", nile, "--json", "--indices"], "--json and --indices"), (["detect", nile, "--column"], "--column"),
        (["detect", nile, "--output"], "--output"), (["detect", nile, "--plot"], "--plot"), (["-x"], "-x"),
        (["detect", nile, "--python-env"], "--python-env"), (["detect", "a\nb", "c\nd"], "c"), (["détect"], "détect"),
    ])
    func `wrong usage is named`(arguments: [String], part: String) async throws {
        try await outliers(arguments).fails(64, part)
    }

    @Test(arguments: [("detect", "--frobnicate"), ("soak", "--seconds=no"), ("bench", "x"), ("-x", "y"), ("what", "y")])
    func `wrong usage names the help of the command`(command: String, argument: String) async throws {
        let known = ["detect", "soak", "bench"].contains(command) ? "\(command) " : ""
        try await outliers(command, argument).fails(64, "(see 'outliers \(known)--help')")
    }

    @Test(arguments: ["-1", "-1e-300", "nan", "inf", "-inf", "1e999", "two", "", "2,5", "2 "])
    func `a threshold that is no finite number from 0 up is wrong usage`(threshold: String) async throws {
        try await outliers("detect", nile, "--column", "2", "--threshold=\(threshold)").fails(64, "--threshold")
    }

    @Test(arguments: ["-1", "-0.5", "-inf"])
    func `a negative threshold after a space is refused as a threshold`(threshold: String) async throws {
        try await outliers("detect", nile, "--column", "2", "--threshold", threshold)
            .fails(64, "--threshold takes a finite number from 0 up")
    }

    @Test func `usage is looked at before the file`() async throws {
        try await outliers("detect", scratch["missing.csv"], "--engine", "warp").fails(64, "warp")
    }

    // MARK: Input

    @Test(arguments: engines)
    func `a missing file is named`(engine: String) async throws {
        try await outliers("detect", scratch["missing.csv"], "--engine", engine)
            .fails(66, scratch["missing.csv"], "No such file")
    }

    @Test func `a relative path starts at the working directory`() async throws {
        _ = try scratch.file("x.csv", "1\n2\n")
        #expect(try await outliers("detect", "x.csv", "--json", in: scratch.path).report().samples == 2)
        try await outliers("detect", "y.csv", in: scratch.path).fails(66, "y.csv")
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `a directory is no input`(format: String) async throws {
        let path = try scratch.directory("d.\(format)")
        try await outliers("detect", path).fails(66, path, "Is a directory")
    }

    @Test func `a directory whose name tells no format is no input either`() async throws {
        let path = try scratch.directory("folder")
        try await outliers("detect", path).fails(66, "\(path): Is a directory")
    }

    @Test(arguments: [
        ("\u{1B}[2J", "\\u{1B}[2J"), ("\u{7}", "\\u{07}"), ("\u{9B}0m", "\\u{009B}0m"), ("\u{7F}", "\\u{7F}"),
        ("数 é", "数 é"),
    ])
    func `what a terminal would obey is shown instead`(cell: String, shown: String) async throws {
        let path = try scratch.file("x.csv", "1\n\(cell)\n")
        let error = try await outliers("detect", path).error
        #expect(error.contains("'\(shown)' is not a number"))
        #expect(error.unicodeScalars.dropLast().allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `an empty file is bad data`(format: String) async throws {
        let path = try scratch.file("x.\(format)", "")
        try await outliers("detect", path).fails(65, path, "empty")
    }

    @Test(arguments: ["npy", "csv", "tsv", "json", "f64"])
    func `empty standard input is bad data`(format: String) async throws {
        try await outliers("detect", "--format", format).fails(65, "standard input", "empty")
        try await shell(": | exec \"$outliers\" detect --format \(format)").fails(65, "standard input", "empty")
    }

    @Test func `a file that may not be read says so, to root as well`() async throws {
        // The kernel itself has no way of reading this one.
        let path = try scratch.link("x.csv", to: "/proc/sys/vm/drop_caches")
        try await outliers("detect", path).fails(66, path, "Permission denied")
    }

    @Test func `links that go round in circles are no input`() async throws {
        let path = try scratch.link("x.csv", to: scratch["x.csv"])
        try await outliers("detect", path).fails(66, path, "symbolic links")
    }

    @Test func `a path through a file is no input`() async throws {
        let path = try scratch.file("x.csv", "1\n") + "/y.csv"
        try await outliers("detect", path).fails(66, path, "Not a directory")
    }

    @Test func `a name that is too long is no input`() async throws {
        try await outliers("detect", String(repeating: "x", count: 5000) + ".csv").fails(66, "File name too long")
    }

    @Test(arguments: ["a\nb.csv", "a\r\nb.csv", "\n.csv", "a\u{2028}b.csv", "a\u{85}b.csv"])
    func `a name with a line break is told on one line`(name: String) async throws {
        try await outliers("detect", scratch[name]).fails(66, "No such file")
        try await outliers("detect", try scratch.file(name, "x\ny\n")).fails(65, "line 2")
    }

    @Test(arguments: ["it's \"a\" b.csv", "数 é.csv", "%s%n.csv", "$(x) `y` \\.csv", "-.csv"])
    func `a name may have anything in it`(name: String) async throws {
        _ = try scratch.file(name, "1\n2\n")
        #expect(try await outliers("detect", scratch[name], "--json").report().samples == 2)
    }

    @Test func `a name that is no UTF-8 fails in words`() async throws {
        try await shell("exec \"$outliers\" detect \"$(printf 'a\\377.csv')\"").fails(66, "No such file")
    }

    @Test func `a device that never ends in data is no trap`() async throws {
        try await outliers("detect", "/dev/null", "--format", "csv").fails(65, "/dev/null", "empty")
    }

    @Test func `a closed standard input is no input`() async throws {
        try await shell("exec \"$outliers\" detect --format csv <&-").fails(66, "standard input")
    }

    @Test func `a directory as standard input is no input`() async throws {
        try await shell("exec \"$outliers\" detect --format csv < /").fails(66, "standard input", "Is a directory")
    }
}
