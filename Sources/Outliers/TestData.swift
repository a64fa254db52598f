/// Samples to try the detection on: 1000 uniform numbers in [0, 1), 97 more at 7, 113 and 835, which are its outliers.
public func makeTestData() -> [Double] {
    var samples = (0..<1000).map { _ in Double.random(in: 0..<1) }
    for spike in [7, 113, 835] { samples[spike] += 97 }
    return samples
}
