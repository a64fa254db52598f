/// The same call over and over, with readings in between.
struct Soak {
    /// For how long.
    enum Length {
        case calls(Int)
        case seconds(Double)
    }

    let length: Length
    /// Whether free memory is given back after the warm-up and at the end.
    let trims: Bool
    let probe: SoakProbe
    let call: () throws -> Void

    /// The part of what was asked for that is warm-up.
    static let warmUp = 0.1
    /// The longest that a trim waits for the warm-up.
    private static let longestWarmUp = 30.0

    /// Calls until it has been long enough, or `isAsked`.
    ///
    /// - Parameter show: Is told now and then what is resident.
    func run(isAsked: () -> Bool, show: ((SoakProgress) -> Void)?) throws -> SoakRecord {
        var clock = SoakClock()
        var readings = ThinnedReadings(distance: distance, filler: try probe.read(calls: 0, seconds: 0))
        var trimmed: [SoakReading] = []
        let start = try probe.read(calls: 0, seconds: 0)
        readings.append(start, at: 0)
        clock.begin()
        var calls = 0
        while !isOver(calls, clock.elapsed), !isAsked() {
            try call()
            calls += 1
            let (seconds, elapsed) = (clock.seconds, clock.elapsed)
            let position = position(calls, elapsed)
            if trims, trimmed.isEmpty, isWarm(calls, elapsed) {
                try clock.trim {
                    try probe.trim()
                    trimmed.append(try probe.read(calls: calls, seconds: seconds))
                }
            }
            if readings.isDue(at: position), !isTimed || clock.isTimeToRead {
                try clock.read { readings.append(try probe.read(calls: calls, seconds: seconds), at: position) }
            }
            if let show, clock.isTimeToShow {
                try clock.show {
                    show(
                        SoakProgress(
                            calls: calls, seconds: seconds, resident: try probe.resident(), start: start.resident))
                }
            }
        }
        let end = try probe.read(calls: calls, seconds: clock.seconds)
        if trims {
            try probe.trim()
            trimmed.append(try probe.read(calls: calls, seconds: end.seconds))
        }
        return SoakRecord(readings: readings.readings, end: end, trimmed: trimmed)
    }

    private var isTimed: Bool {
        if case .seconds = length { true } else { false }
    }

    private func position(_ calls: Int, _ seconds: Double) -> Double {
        switch length {
        case .calls: Double(calls)
        case .seconds: seconds
        }
    }

    private func isOver(_ calls: Int, _ seconds: Double) -> Bool {
        switch length {
        case .calls(let limit): calls >= limit
        case .seconds(let limit): seconds >= limit
        }
    }

    private func isWarm(_ calls: Int, _ seconds: Double) -> Bool {
        switch length {
        case .calls(let limit): Double(calls) >= Self.warmUp * Double(limit) || seconds > Self.longestWarmUp
        case .seconds(let limit): seconds >= min(Self.warmUp * limit, Self.longestWarmUp)
        }
    }

    /// Between readings at first: close enough for a soak that is interrupted early.
    private var distance: Double {
        switch length {
        case .calls(let limit): max(1, Double(limit) / 4096)
        case .seconds(let limit): min(1, limit / 4096)
        }
    }
}

/// How far a soak is.
struct SoakProgress {
    let calls: Int
    let seconds: Double
    let resident: Int
    /// What was resident before the first call.
    let start: Int
}

/// The time that passes, and what of it calls take.
private struct SoakClock {
    private var paused = Duration.zero
    private var began = ContinuousClock.now
    private var lastShow = Pause()
    private var lastReading = Pause()

    /// Looks at much memory take milliseconds: the calls have four times as long in between.
    private struct Pause {
        var length = Duration.zero
        var end = ContinuousClock.now

        func isOver(since least: Duration) -> Bool { ContinuousClock.now - end >= max(least, length * 4) }
    }

    /// Without that of readings.
    var seconds: Double { (ContinuousClock.now - began - paused) / .seconds(1) }

    var elapsed: Double { (ContinuousClock.now - began) / .seconds(1) }

    var isTimeToRead: Bool { lastReading.isOver(since: .zero) }

    var isTimeToShow: Bool { lastShow.isOver(since: .milliseconds(200)) }

    mutating func begin() {
        began = .now
        paused = .zero
    }

    mutating func trim(_ body: () throws -> Void) rethrows { _ = try pause(body) }

    mutating func read(_ body: () throws -> Void) rethrows { lastReading = try pause(body) }

    mutating func show(_ body: () throws -> Void) rethrows { lastShow = try pause(body) }

    private mutating func pause(_ body: () throws -> Void) rethrows -> Pause {
        let start = ContinuousClock.now
        defer { paused += .now - start }
        try body()
        return Pause(length: .now - start, end: .now)
    }
}
