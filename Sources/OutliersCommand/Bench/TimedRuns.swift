import Outliers
import PythonBridge

/// The times of one contestant on some samples, in turns with others.
struct TimedRuns {
    /// Seconds that a turn of a quick contestant lasts, in as many calls, after others that do not count: these take back the caches from
    /// the others, which would weigh the more the fewer calls there are in a turn.
    private let turn: Double
    private static let longestTurn = 0.01
    /// How long those that do not count take, beside the turn.
    private static let uncounted = 0.5
    /// As many as that are wanted at least, of shorter turns if need be: one in which the machine did something else does not count much.
    private static let wantedTurns = 12.0
    /// More turns tell no more.
    private static let mostTurns = 100
    private static let leastTurns = 3

    let contestant: Contestant
    private let detect: Contestant.Detect
    private let samples: StridedView<Double>
    /// Seconds that it has for its turns.
    private let budget: Double
    /// Seconds of a call, on average over each turn.
    private var times: [Double] = []
    private var spent = 0.0
    private var callsPerTurn = 1
    private var isQuick: Bool { callsPerTurn > 1 }
    /// Turns at the start that do not count if there are others: of these the number of calls in a turn is found.
    private var warmUp: Int { isQuick ? 3 : 1 }

    init(
        _ contestant: Contestant, _ detect: @escaping Contestant.Detect, on samples: StridedView<Double>, budget: Double
    ) {
        self.contestant = contestant
        self.detect = detect
        self.samples = samples
        self.budget = budget
        turn = min(Self.longestTurn, budget / (Self.wantedTurns * (1 + Self.uncounted)))
    }

    /// What counts: not the first turn, nor those by which the number of calls in a turn is found, unless there is no other.
    var counted: [Double] { Array(times.count > warmUp ? times.dropFirst(warmUp) : times.suffix(1)) }

    /// Whether it has had its budget and three turns that count, or twice its budget, or its most turns.
    var isDone: Bool {
        let count = max(0, times.count - warmUp)
        return count >= Self.mostTurns || spent >= 2 * budget || (count >= Self.leastTurns && spent >= budget)
    }

    /// Takes a turn.
    ///
    /// - Returns: What its last call found.
    /// - Throws: ``Failure``.
    @discardableResult
    mutating func takeTurn() throws(Failure) -> SharedBuffer<Int> {
        let clock = ContinuousClock()
        do throws(OutlierError) {
            let (found, whole, measured) = try Interrupt.python(isUsed: contestant.kind.usesPython) {
                () throws(OutlierError) in
                let begin = clock.now
                if isQuick {
                    repeat { _ = try detect(samples) } while clock.now - begin < .seconds(turn * Self.uncounted)
                }
                let start = clock.now
                for _ in 1..<callsPerTurn { _ = try detect(samples) }
                let found = try detect(samples)
                let end = clock.now
                return (found, end - begin, end - start)
            }
            spent += whole / .seconds(1)
            note(measured / .seconds(1))
            return found
        } catch {
            throw Failure(error, input: contestant.name) { "sample \($0)" }
        }
    }

    private mutating func note(_ seconds: Double) {
        times.append(seconds / Double(callsPerTurn))
        // The second turn is one call, and the third begins with others.
        guard times.count == 2 || times.count == 3, let time = times.last, time < turn / 2 else { return }
        callsPerTurn = Int(turn / max(time, 1e-7))
    }
}
