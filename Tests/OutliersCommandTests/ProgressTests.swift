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
        let percents = lines(end).map { $0.wholeMatch(of: #/searching (.+) (\d+) %/#) }
        #expect(percents.allSatisfy { $0?.1 == path[...] })
        let numbers = percents.map { $0.flatMap { Int($0.2) } ?? -1 }
        #expect(numbers.count >= 10)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        #expect(numbers.last == 100)
    }

    @Test func `a detection of one pass more never goes back`() async throws {
        let path = try await scratch.numpy("x.npy", "np.tile([1.0, 2.0], 3_000_000)")
        var run = Terminal("detect", path, "--threshold", "0.5")
        run.terminal = true
        let end = try await run.run()
        #expect(end.status == 0)
        let numbers = lines(end).map { $0.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? -1 }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
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
