import Testing

@Suite struct ProgressTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// The lines that were written over one another; the last one is what was left.
    private func lines(_ end: Terminal.End) -> [Substring] { end.error.split(separator: "\r").dropLast() }

    private func large() async throws -> String {
        try await scratch.numpy("x.npy", "np.r_[np.zeros(6_000_000, np.int8), np.int8(9)]")
    }

    @Test(arguments: engines)
    func `a terminal shows how far a detection is, and nothing of it in the end`(engine: String) async throws {
        let path = try await large()
        var run = Terminal("detect", path, "--engine", engine, "--indices")
        run.terminal = true
        run.columns = 500
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.output == "[6000000]\n")
        #expect(end.error.hasSuffix(Terminal.erased))
        let parts = lines(end).map {
            $0.wholeMatch(of: #/searching (.+) \[(#*)(-*)\] (\d+) % \d+(\.\d)? [kMG]?B/s(.*)/#)
        }
        #expect(parts.allSatisfy { $0?.1 == path[...] })
        #expect(parts.allSatisfy { ($0?.2.count ?? 0) + ($0?.3.count ?? 0) == 20 })
        let numbers = parts.map { $0.flatMap { Int($0.4) } ?? -1 }
        #expect(numbers.count >= 10)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(numbers.last == 100)
        #expect(parts.last??.3 == "")
    }

    @Test func `a detection of one pass more never goes back`() async throws {
        let path = try await scratch.numpy("x.npy", "np.tile([1.0, 2.0], 3_000_000)")
        var run = Terminal("detect", path, "--threshold", "0.5")
        run.terminal = true
        let end = try await run.run()
        #expect(end.status == 0)
        let numbers = lines(end).map { $0.firstMatch(of: #/ (\d+) %/#).flatMap { Int($0.1) } ?? -1 }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(numbers.last == 100)
    }

    @Test func `a narrow terminal has it on one line`() async throws {
        var run = Terminal("detect", try await large(), "--engine", "native", "--indices")
        run.terminal = true
        run.columns = 20
        let end = try await run.run()
        #expect(lines(end).count >= 10)
        #expect(lines(end).allSatisfy { $0.count == 19 && $0.hasSuffix(" %") })
    }

    @Test(arguments: [(80, true), (50, false)])
    func `a terminal with less room shows the end of the name`(columns: Int, hasBar: Bool) async throws {
        var run = Terminal("detect", try await large(), "--engine", "native", "--indices")
        run.terminal = true
        run.columns = columns
        let end = try await run.run()
        #expect(lines(end).count >= 10)
        for line in lines(end) {
            let match = try #require(
                line.wholeMatch(of: #/searching …\S+x\.npy( \[.{20}\])? \d+ % \S+ .?B/s( \d+:\d\d left)?/#))
            #expect(line.count < columns)
            #expect((match.1 != nil) == hasBar)
        }
    }

    @Test func `what takes long shows the time that is left`() async throws {
        let path = scratch["long.f64"]
        try await python("import os, sys; open(sys.argv[1], 'w'); os.truncate(sys.argv[1], 40 << 30)", path)
        var run = Terminal("detect", path, "--engine", "embedded")
        run.terminal = true
        run.columns = 500
        run.text = " left"
        run.signals = ["SIGINT"]
        let end = try await run.run()
        #expect(end.error.firstMatch(of: #/ \d+ % [\d.]+ [MG]B/s \d+:\d\d left\r/#) != nil)
    }

    @Test func `of a pipe is shown what has come so far`() async throws {
        var run = Terminal("detect", "--format", "f64", "--engine", "native", "--indices")
        run.terminal = true
        (run.input, run.times) = ("12345678", 2_500_000)
        let end = try await run.run()
        #expect(end.output == "[]\n")
        let parts = end.error.split(separator: Terminal.erased)
        let reading = parts.first?.split(separator: "\r") ?? []
        #expect(!reading.isEmpty)
        #expect(reading.allSatisfy { $0.wholeMatch(of: #/reading standard input [\d.]+ MB [\d.]+ .B/s/#) != nil })
    }

    @Test func `text is shown while it is read, and then while it is searched`() async throws {
        let path = try scratch.file("x.csv", String(repeating: "1\n2\n", count: 2_200_000))
        var run = Terminal("detect", path, "--engine", "native", "--indices")
        run.terminal = true
        run.columns = 500
        let end = try await run.run()
        #expect(end.status == 0)
        let parts = end.error.split(separator: Terminal.erased, omittingEmptySubsequences: false)
        #expect(parts.count == 3 && parts.last == "")
        #expect(parts.first?.split(separator: "\r").allSatisfy { $0.hasPrefix("reading \(path) ") } == true)
        #expect(
            parts.dropFirst().first?.split(separator: "\r").allSatisfy { $0.hasPrefix("searching \(path) ") } == true)
    }

    @Test(arguments: engines)
    func `nothing is shown where standard error is no terminal`(engine: String) async throws {
        let end = try await Terminal("detect", try await large(), "--engine", engine, "--indices").run()
        #expect(end.status == 0)
        #expect(end.output == "[6000000]\n")
        #expect(end.error == "")
    }

    @Test func `little work shows nothing`() async throws {
        var run = Terminal("detect", nile, "--column", "volume", "--indices")
        run.terminal = true
        let end = try await run.run()
        #expect(end.output == "[8, 24, 42]\n")
        #expect(end.error == "")
    }

    @Test func `a failure erases the line first`() async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(6_000_000), np.nan]")
        var run = Terminal("detect", path)
        run.terminal = true
        let end = try await run.run()
        #expect(end.status == 65)
        let parts = end.error.split(separator: Terminal.erased)
        #expect(parts.count == 2)
        #expect(parts.last?.hasPrefix("outliers: \(path): sample 6000000 is NaN") == true)
    }
}
