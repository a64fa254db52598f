import Testing

@testable import OutliersCommand

/// What the kernel counts of the processors' time.
@Suite struct ProcessorTimeTests {
    @Test func `what the host took is a share of the time in which there was work`() throws {
        // user, nice, system, idle, iowait, irq, softirq, steal, and two that are in the first two.
        let start = try #require(ProcessorTime("cpu  100 10 20 5000 30 4 6 8 50 5"))
        let end = try #require(ProcessorTime("cpu  150 12 30 9000 90 5 10 41 80 6"))
        // 50 + 2 + 10 + 1 + 4 of work, and 33 that were stolen.
        #expect(end.stolenShare(since: start) == 0.33)
        #expect(start.stolenShare(since: start) == 0)
    }

    @Test(arguments: ["", "cpu", "cpu  1 2 3 4 5 6 7", "cpu  a b c d e f g h"])
    func `a kernel that does not count it is told from none`(line: String) {
        #expect(ProcessorTime(line[...]) == nil)
    }

    @Test func `the cores and what was stolen of their time are told in words`() {
        #expect(BenchSystem.text(cores: 1, stolenShare: nil) == "1 core")
        #expect(BenchSystem.text(cores: 2, stolenShare: 0.0049) == "2 cores")
        #expect(BenchSystem.text(cores: 2, stolenShare: 0.126) == "2 cores (13 % of the time stolen)")
    }

    @Test func `this kernel counts`() throws {
        let start = try #require(ProcessorTime.now)
        #expect((0...1).contains(try #require(ProcessorTime.now).stolenShare(since: start)))
    }
}
