/// Readings at equal distances, of a number that never grows: whenever there are too many, every second one goes, and the distance
/// doubles.
struct ThinnedReadings<Reading> {
    private(set) var readings: [Reading]
    private let capacity: Int
    private var distance: Double
    private var next = 0.0

    /// - Parameters:
    ///   - distance: From one reading to the next at first, in whatever unit.
    ///   - capacity: How many readings are kept at most.
    ///   - filler: Any reading: the memory for all of them is touched at once, so that none of them makes it grow.
    init(distance: Double, capacity: Int = 512, filler: Reading) {
        self.distance = distance
        self.capacity = capacity
        readings = Array(repeating: filler, count: capacity)
        readings.removeAll(keepingCapacity: true)
    }

    /// Whether it is time for a reading.
    func isDue(at position: Double) -> Bool { position >= next }

    mutating func append(_ reading: Reading, at position: Double) {
        if readings.count == capacity {
            // From a few onwards, so that the memory stays where it is.
            var kept = 0
            for index in stride(from: 0, to: capacity, by: 2) {
                readings.swapAt(kept, index)
                kept += 1
            }
            readings.removeLast(capacity - kept)
            distance *= 2
        }
        readings.append(reading)
        next = max(next, position) + distance
    }
}
