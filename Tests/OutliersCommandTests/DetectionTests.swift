import Testing

@Suite struct DetectionTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    @Test(arguments: allEngines, ["volume", "2"])
    func `a column is found by its name and by its number`(engine: String, column: String) async throws {
        let expected = try await numpyOutliers("x = np.loadtxt(path, delimiter=',', skiprows=1)[:, 1]", path: nile)
        let found = try await outliers("detect", nile, "--column", column, "--engine", engine, "--indices").list()
        #expect(found == expected)
        #expect(found == [8, 24, 42])
    }

    @Test(arguments: ["0", "2.5", "1e-300", "1e300", "5e-324", "1.7976931348623157e308"])
    func `a threshold is any finite number from 0 up`(threshold: String) async throws {
        let statement = "rng = np.random.default_rng(3); x = rng.normal(size=2000); x[::100] *= 9; np.save(path, x)"
        let path = scratch["x.npy"]
        let expected = try await numpyOutliers(statement, path: path, threshold: threshold)
        for engine in allEngines {
            let arguments = ["detect", path, "--threshold", threshold, "--engine", engine, "--indices"]
            #expect(try await outliers(arguments).list() == expected, "\(engine)")
        }
    }

    @Test(arguments: allEngines)
    func `omitted samples count neither for the moments nor as outliers`(engine: String) async throws {
        let statement = """
            x = np.random.default_rng(5).normal(size=20_000)
            x[[3, 9_000]], x[11], x[12_345] = np.nan, np.inf, -np.inf
            np.save(path, x)
            keep = np.isfinite(x)
            x = np.where(keep, x, x[keep].mean())
            """
        let path = scratch["x.npy"]
        // The mean in place of the omitted samples leaves the mean as it is, but not the deviation.
        let printed = try await python(
            "import sys, numpy as np\npath = sys.argv[1]\n\(statement)\ny = x[keep]\n"
                + "print(y.mean(), y.std(), np.flatnonzero(keep & (np.abs(x - y.mean()) > 2 * y.std())).tolist())",
            path)
        let report = try await outliers("detect", path, "--nan", "omit", "--engine", engine, "--json").report()
        let parts = printed.split(separator: " ", maxSplits: 2)
        #expect("\(report.indices)\n" == parts[2])
        #expect(abs(try #require(report.mean) - (try #require(Double(parts[0])))) < 1e-12)
        #expect(abs(try #require(report.standardDeviation) - (try #require(Double(parts[1])))) < 1e-12)
        #expect(report.samples == 20_000)
    }

    @Test(arguments: allEngines, ["nan", "inf", "-inf"])
    func `the first sample that is not finite is an error`(engine: String, value: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.where(np.arange(9000) > 8500, float('\(value)'), 1.0)")
        try await outliers("detect", path, "--engine", engine)
            .fails(65, path, "sample 8501", value == "nan" ? "NaN" : "infinite", "--nan omit")
    }

    @Test(arguments: allEngines)
    func `samples that are all missing have no outliers and no moments`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.full(10, np.nan)")
        let report = try await outliers("detect", path, "--nan", "omit", "--engine", engine, "--json").report()
        #expect(report.indices == [])
        #expect(report.samples == 10)
        #expect(report.mean == nil)
        #expect(report.standardDeviation == nil)
    }

    @Test(arguments: [1, 2, 16_383, 16_384, 16_385, 100_003])
    func `every engine finds what numpy finds`(count: Int) async throws {
        let path = scratch["x.npy"]
        let statement = "x = np.random.default_rng(7).normal(5, 3, size=\(count)); np.save(path, x)"
        let expected = try await numpyOutliers(statement, path: path)
        for engine in allEngines {
            #expect(try await outliers("detect", path, "--engine", engine, "--indices").list() == expected, "\(engine)")
        }
    }

    @Test func `two threads find what numpy finds`() async throws {
        let path = scratch["x.npy"]
        let statement = "x = np.random.default_rng(7).normal(5, 3, size=2_300_001).astype('f4'); np.save(path, x)"
        let expected = try await numpyOutliers(statement, path: path)
        #expect(expected.count > 50_000)
        for engine in ["native", "embedded"] {
            let arguments = ["detect", path, "--engine", engine, "--threads", "2", "--indices"]
            // With the threads that OpenBLAS starts by itself, too.
            let found = try await outliers(arguments, changes: ["OPENBLAS_NUM_THREADS": nil]).list()
            #expect(found == expected, "\(engine)")
        }
    }

    @Test(arguments: allEngines)
    func `constant data has no outliers at threshold 0`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.full(20_000, 0.1)")
        let report = try await outliers("detect", path, "--threshold", "0", "--engine", engine, "--json").report()
        #expect(report.indices == [])
        #expect(report.standardDeviation == 0)
    }

    @Test(arguments: allEngines)
    func `samples whose squares overflow have no outliers`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.array([1e300, -1e300, 1e308, 5.0])")
        let report = try await outliers("detect", path, "--engine", engine, "--json").report()
        #expect(report.indices == [])
        #expect(report.standardDeviation == nil)
    }

    @Test(arguments: allEngines)
    func `samples whose squares underflow are found by every engine alike`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(50), np.full(50, 1e-200)]")
        let found = try await outliers("detect", path, "--engine", engine, "--indices").list()
        #expect(found == Array(0..<100))
    }
}
