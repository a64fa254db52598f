import Testing

@testable import OutliersCommand

/// The rule, on readings that were made up.
@Suite struct SoakVerdictTests {
    /// A record of so many readings, at each hundredth call or so.
    private func record(
        of readings: Int = 400, callsBetween: Int = 100, trimmed: [(calls: Int, resident: Int)] = [],
        resident: (_ calls: Int) -> Int, heap: (Int) -> Int = { _ in 1 << 20 },
        descriptors: (Int) -> Int = { _ in 5 }
    ) -> SoakRecord {
        func reading(_ calls: Int, resident: Int) -> SoakReading {
            SoakReading(
                calls: calls, seconds: Double(calls) / 1000, resident: resident, heap: heap(calls), pythonBlocks: nil,
                exporters: 0, descriptors: descriptors(calls))
        }
        let all = (0...readings).map { reading($0 * callsBetween, resident: resident($0 * callsBetween)) }
        return SoakRecord(
            readings: Array(all.dropLast()), end: all[readings],
            trimmed: trimmed.map { reading($0.calls, resident: $0.resident) })
    }

    /// Up and down by as much as a leak would show at, from call to call.
    private func noise(_ calls: Int) -> Int { calls / 100 * 7919 % 256 << 10 }

    @Test func `what stays is no leak, whatever the noise`() {
        for level in [0, 30 << 20] {
            let verdict = SoakVerdict(record { level + noise($0) })
            guard case .noLeak(let detectable) = verdict else {
                Issue.record("\(verdict)")
                continue
            }
            #expect(abs(detectable - 262_144 / 36_000) < 0.01)
        }
    }

    @Test(arguments: [10, 100, 5000])
    func `what rises with the calls is a leak, by so many bytes a call`(perCall: Int) {
        let verdict = SoakVerdict(record { $0 * perCall + noise($0) / 4 })
        guard case .leak(.resident, let found, isTrimmed: false) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(abs(found / Double(perCall) - 1) < 0.1)
    }

    @Test func `a rise during the warm-up, and one that comes to an end, is no leak`() {
        #expect(!SoakVerdict(record { min($0, 3999) * 1000 }).isLeak)
        #expect(!SoakVerdict(record { min($0, 20_000) * 1000 }).isLeak)
        #expect(!SoakVerdict(record { Int(1e6 * (1 - 1 / (1 + Double($0) / 1000))) }).isLeak)
    }

    @Test func `steps are no leak`() {
        for step in [12_000, 20_000, 38_000] { #expect(!SoakVerdict(record { $0 < step ? 0 : 8 << 20 }).isLeak) }
        #expect(!SoakVerdict(record { ($0 / 15_000) << 20 }).isLeak)
    }

    @Test func `memory that is given back is no leak`() {
        #expect(!SoakVerdict(record { 40 << 20 - $0 * 100 }).isLeak)
    }

    @Test func `little growth is none`() {
        #expect(!SoakVerdict(record { $0 * 250_000 / 36_000 }).isLeak)
        #expect(SoakVerdict(record { $0 * 270_000 / 36_000 }).isLeak)
    }

    @Test func `the heap tells of a leak that fits into pages that were there`() {
        let verdict = SoakVerdict(record(resident: { _ in 30 << 20 }, heap: { 1 << 20 + $0 * 2 }))
        guard case .leak(.heap, let perCall, _) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(abs(perCall - 2) < 0.01)
    }

    @Test func `descriptors are a leak too`() {
        let verdict = SoakVerdict(record(resident: { _ in 0 }, descriptors: { $0 / 100 }))
        #expect(verdict.text.hasPrefix("leak: 0.010 descriptors a call; --trim "))
    }

    @Test func `what was given back when trimmed is retention, and what was not is a leak`() {
        let trimmed = [(calls: 4000, resident: 1 << 20), (calls: 40_000, resident: 1 << 20 + 40_000)]
        let retention = SoakVerdict(record(trimmed: trimmed) { $0 * 1000 })
        #expect(retention.name == "retention")
        #expect(retention.text == "retention: grew by 1,000 bytes a call, and gave it back when trimmed")
        let kept = [(calls: 4000, resident: 1 << 20), (calls: 40_000, resident: 1 << 20 + 900 * 36_000)]
        let leak = SoakVerdict(record(trimmed: kept) { $0 * 1000 })
        #expect(leak.text == "leak: 900 bytes a call, which are not given back")
    }

    @Test func `few calls, few readings and an end before the first trim are too short`() {
        #expect(SoakVerdict(record(of: 99, callsBetween: 1) { $0 * 100_000 }) == .tooShort)
        #expect(SoakVerdict(record(of: 16, callsBetween: 1000) { $0 * 1000 }) == .tooShort)
        #expect(SoakVerdict(record(of: 100, callsBetween: 1) { $0 * 100_000 }).isLeak)
        #expect(SoakVerdict(record(trimmed: [(calls: 40_000, resident: 0)]) { $0 * 1000 }) == .tooShort)
    }

    // MARK: What it rests on

    @Test func `the slope and its standard error are those of the textbook`() throws {
        // numpy.polyfit(x, y, 1, cov="unscaled") and scipy.stats.linregress say the same.
        let points = [(x: 1.0, y: 2.0), (x: 2.0, y: 3.0), (x: 4.0, y: 7.0), (x: 5.0, y: 8.0)]
        let trend = try #require(Trend(points))
        #expect(abs(trend.slope - 1.6) < 1e-12)
        #expect(abs(trend.value(at: 3) - 5) < 1e-12)
        #expect(abs(try #require(trend.standardError) - 0.141_421_356_237_309_5) < 1e-12)
        #expect(Trend([(x: 1.0, y: 2.0)]) == nil)
        #expect(Trend([(x: 1.0, y: 2.0), (x: 1.0, y: 3.0)]) == nil)
        #expect(Trend([(x: 1.0, y: 2.0), (x: 2.0, y: 3.0)])?.standardError == nil)
    }

    @Test func `the plateau is the median from a tenth to three tenths of the calls`() throws {
        let record = record { $0 < 4000 ? 0 : $0 <= 12_000 ? 7 + ($0 / 100 % 2) * 2 : 1000 }
        #expect(try #require(record.plateau).resident == 7)
        #expect(try #require(record.plateau).calls == 8000)
    }

    @Test func `numbers have a separator for thousands, and two digits below ten`() {
        let texts = [0, 3, 999, 1000, -1_234_567, 0.0123, 9.94, 9.96, 123.4, 1e-9, 0.5, -0.25].map(Amount.number)
        #expect(
            texts == [
                "0", "3", "999", "1,000", "-1,234,567", "0.012", "9.9", "10", "123", "0.000000", "0.50", "-0.25",
            ])
        #expect(Amount.mebibytes(3 << 19) == "1.50 MiB")
        #expect(
            [Amount.change(1 << 20), Amount.change(-(1 << 18)), Amount.change(0)] == [
                "+1.00 MiB", "-0.25 MiB", "+0.00 MiB",
            ])
    }

    @Test func `readings stay as many as there is room for, at equal distances`() {
        var readings = ThinnedReadings(distance: 1, capacity: 64, filler: -1)
        for position in 0..<100_000 where readings.isDue(at: Double(position)) {
            readings.append(position, at: Double(position))
            #expect(readings.readings.count <= 64)
        }
        let kept = readings.readings
        #expect(kept.first == 0)
        #expect(kept.count > 32)
        #expect(Set(zip(kept, kept.dropFirst()).map { $1 - $0 }).count == 1)
    }
}
