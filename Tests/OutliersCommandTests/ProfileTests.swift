import FoundationEssentials
import Testing

/// `outliers profile`, from start to end.
@Suite struct ProfileTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private struct Result: Decodable {
        struct Resident: Decodable {
            let anonymous: Int
            let file: Int
            let sharedMemory: Int
            let sharedMemoryShare: Int
            let sharedClean: Int
            let sharedDirty: Int
            let privateClean: Int
            let privateDirty: Int
            let peak: Int
        }
        struct Reading: Decodable {
            let seconds: Double
            let host: Resident
            let child: Resident?
            let heap: Int
        }
        struct Traced: Decodable {
            let current: Int
            let peak: Int
        }
        struct Phase: Decodable {
            let name: String
            let start: Double
            let end: Double
            let memory: Reading
            let peak: Int
            let childPeak: Int?
            let python: Traced?
        }
        struct Engine: Decodable {
            let engine: String
            let samples: Int
            let outliers: Int
            let bytesCopied: Int
            let bytesShared: Int
            let phases: [Phase]
            let readings: [Reading]

            func phase(_ name: String) throws -> Phase { try #require(phases.first { $0.name == name }) }
        }
        struct Summary: Decodable {
            let engine: String
            let seconds: Double
            let extraMemory: Int
        }
        struct Failed: Decodable {
            let engine: String
            let message: String
        }
        let samples: Int
        let outliers: Int
        let engines: [Engine]
        let summary: [Summary]
        let failed: [Failed]
    }

    private func profile(_ arguments: String...) async throws -> Result {
        let program = try await outliers(["profile", "--json"] + arguments)
        return try JSONDecoder().decode(Result.self, from: Data(program.succeeds().utf8))
    }

    private let phases = [
        "embedded": ["start of Python", "import of numpy", "samples", "first pass", "second pass", "release"],
        "copying": ["start of Python", "import of numpy", "samples", "first pass", "second pass", "release"],
        "worker": ["start of Python", "import of numpy", "samples", "first pass", "second pass", "release"],
        "subprocess": ["samples", "detection", "release"],
        "native": ["samples", "first pass", "second pass", "release"],
    ]

    // MARK: Table, JSON and picture

    @Test func `the table has each engine with its phases`() async throws {
        let table = try await outliers("profile", "--samples", "3000000", "--engine", "embedded,worker,native")
            .succeeds()
        #expect(table.hasPrefix("3,000,000 samples, 3 outliers; memory in MiB\n"))
        #expect(table.contains(#/\nengine +seconds +extra memory +copied +shared\n/#))
        for engine in ["embedded", "worker", "native"] {
            #expect(table.contains(try Regex("\n\(engine) +seconds +anonymous +file +shared +also mapped +peak +heap")))
            let names = try #require(phases[engine])
            let rows = names.map { "\($0)( +[0-9.]+)+\n" }.joined()
            #expect(table.contains(try Regex(rows)), "\(engine): \(table)")
        }
        #expect(table.contains(#/\nworker .*child +its peak +Python's +its peak\n/#))
        #expect(!table.contains("copying") && !table.contains("subprocess"))
    }

    @Test func `each engine's memory goes where it should`() async throws {
        let count = 3_000_000
        let result = try await profile("--samples", "\(count)")
        #expect(result.samples == count)
        #expect(result.outliers == 3)
        #expect(result.failed.isEmpty)
        #expect(result.engines.map(\.engine) == ["embedded", "copying", "worker", "subprocess", "native"])
        for profile in result.engines {
            #expect(profile.phases.map(\.name) == phases[profile.engine], "\(profile.engine)")
            #expect(zip(profile.phases, profile.phases.dropFirst()).allSatisfy { $0.end <= $1.start })
            #expect(profile.phases.allSatisfy { $0.start <= $0.end && $0.peak >= $0.memory.host.anonymous })
            #expect(2...512 ~= profile.readings.count)
            #expect(profile.readings.allSatisfy { $0.host.privateDirty > 1 << 20 && $0.heap > 0 })
            // The samples are memory of this process, and gone with the last who holds them.
            let (made, released) = (try profile.phase("samples").memory.host, try profile.phase("release").memory.host)
            let own = made.anonymous + made.sharedMemory
            #expect(own > 8 * count)
            // Of the lists' numbers the allocators keep some.
            let least = (profile.engine == "copying" ? 5 : 7) * count
            #expect(released.anonymous + released.sharedMemory < own - least, "\(profile.engine)")
        }
        func extra(_ engine: String) throws -> Int {
            try #require(result.summary.first { $0.engine == engine }).extraMemory
        }
        #expect(try extra("embedded") < 4 << 20)
        #expect(try extra("worker") < 4 << 20)
        #expect(try extra("native") < 2 << 20)
        #expect(try extra("copying") > 32 * count)
        #expect(try extra("subprocess") > 32 * count)
    }

    @Test func `Python's own allocations are traced with numpy's`() async throws {
        let count = 2_000_000
        let result = try await profile("--samples", "\(count)", "--engine", "embedded,copying", "--engine", "worker")
        for profile in result.engines {
            let numpy = try #require(profile.phase("import of numpy").python)
            #expect(numpy.current > 2 << 20, "\(profile.engine)")
            let pass = try #require(profile.phase("first pass").python)
            #expect(pass.peak >= pass.current)
            // A list of as many objects of 24 bytes, or blocks of a size that does not depend on how many there are.
            #expect((pass.peak > 32 * count) == (profile.engine == "copying"), "\(profile.engine)")
        }
        let (embedded, copying) = (result.engines[0], result.engines[1])
        #expect(embedded.bytesCopied < 1000)
        // The samples, and as many indices as there can be by Chebyshev's inequality.
        #expect(embedded.bytesShared == 8 * count + 8 * (count / 4 + 1))
        #expect(8 * count...8 * count + 1000 ~= copying.bytesCopied)
    }

    @Test func `a worker shares pages, and the process of subprocess has its own`() async throws {
        let count = 1_000_000
        let result = try await profile("--samples", "\(count)", "--engine", "worker,subprocess")
        let worker = result.engines[0]
        let (before, pass) = (try worker.phase("samples").memory, try worker.phase("first pass"))
        #expect(before.host.sharedMemory >= 8 * count)
        let child = try #require(before.child)
        #expect(child.sharedMemory < 1 << 20)
        // It maps all of the samples, and lets go of them at the latest when all is done.
        #expect(try #require(pass.childPeak) - child.anonymous - child.file > 7 * count)
        // What both have counts half for each, but for pages that the child lets go of between the two looks at a reading.
        for memory in worker.readings + [pass.memory] {
            let shares = memory.host.sharedMemoryShare + (memory.child?.sharedMemoryShare ?? 0)
            #expect(shares < 12 * count)
        }
        #expect(worker.bytesCopied < 1000)
        let subprocess = result.engines[1]
        #expect(try #require(subprocess.phase("detection").childPeak) > 32 * count)
        #expect(try subprocess.phase("release").memory.child == nil)
        #expect(subprocess.bytesCopied > 10 * count)
        #expect(subprocess.phases.allSatisfy { $0.python == nil })
    }

    @Test func `little data has one pass where no end of the first one is told`() async throws {
        let result = try await profile(nile, "--column", "volume", "--engine", "native,embedded")
        #expect(result.samples == 100)
        #expect(result.outliers == 3)
        #expect(result.engines.map(\.engine) == ["embedded", "native"])
        #expect(try result.engines[1].phase("samples").end >= 0)
        for profile in result.engines {
            let names = profile.phases.map(\.name).filter { ["first pass", "second pass", "detection"].contains($0) }
            #expect([["detection"], ["first pass", "second pass"]].contains(names), "\(names)")
        }
    }

    @Test func `a mapped file is memory of a file`() async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(2_000_000), 9.0]")
        let result = try await profile(path, "--engine", "native,worker")
        for profile in result.engines {
            let (before, pass) = (try profile.phase("samples").memory, try profile.phase("first pass"))
            if let child = before.child {
                // A worker lets go of what it has searched, once for each million.
                #expect(try #require(pass.childPeak) - child.anonymous - child.file > 7_000_000)
            } else {
                #expect(pass.memory.host.file - before.host.file > 15_000_000)
            }
        }
        #expect(result.summary.allSatisfy { $0.extraMemory < 4 << 20 })
    }

    @Test func `the picture has a panel for each engine`() async throws {
        try await outliers(
            "profile", "--samples", "100000", "--engine", "embedded,worker,native", "--plot", scratch["p.svg"]
        ).succeeds()
        let picture = String(decoding: try scratch.contents("p.svg"), as: UTF8.self)
        for part in [
            "embedded", "embedded-host-anonymous", "embedded-heap", "embedded-python", "worker-child-anonymous",
            "native", "native-host-file",
        ] {
            #expect(picture.contains("<g id=\"\(part)\">"), "\(part)")
        }
        #expect(!picture.contains("native-python") && !picture.contains("subprocess"))
        try await outliers("profile", "--samples", "9", "--engine", "native", "--plot", scratch["p.PNG"]).succeeds()
        #expect(try scratch.contents("p.PNG").starts(with: [0x89] + "PNG".utf8))
    }

    @Test func `a terminal shows which engine it is at`() async throws {
        var run = Terminal("profile", "--samples", "100", "--engine", "native,embedded")
        run.terminal = true
        let end = try await run.run()
        #expect(end.status == 0)
        #expect(end.error == "\rprofiling embedded, 1 of 2\rprofiling native, 2 of 2" + Terminal.erased)
    }

    @Test(arguments: [false, true])
    func `a signal ends it with its processes, whichever thread gets it`(watcher: Bool) async throws {
        var run = Terminal("profile", "--samples", "20000000", "--engine", "subprocess", "--plot", scratch["p.svg"])
        run.terminal = true
        run.text = "profiling"
        run.signals = ["SIGINT"]
        run.watcher = watcher
        try await run.run().wasInterrupted(by: 2)
        #expect(try scratch.names.isEmpty)
    }

    // MARK: What is wrong

    @Test(arguments: [
        (["--engine", "nope"], "nope"), (["--engine", "native,"], "native,"), (["--engine", ""], "--engine"),
        (["--samples", "0"], "--samples takes a number from 1 up"), (["--samples", "many"], "many"),
        ([nile, "--samples", "5"], "exclude each other"), (["--column", "2"], "are for a file"),
        (["--threshold", "-1"], "--threshold takes"),
        (["--threads", "0"], "--threads takes a number from 1 to 256"),
        (["--plot", "p.pdf"], "--plot takes a name that ends in"),
        (["-"], "standard input can be read once"), ([nile], "choose one of the columns"),
    ])
    func `wrong usage is told`(arguments: [String], message: String) async throws {
        try await outliers(["profile"] + arguments, in: scratch.path).fails(64, message)
        #expect(try scratch.names.isEmpty)
    }

    @Test func `a file that is not there is told, and one with bad data`() async throws {
        try await outliers("profile", scratch["x.npy"]).fails(66, scratch["x.npy"])
        let path = try scratch.file("-x.csv", "1\nnan\n")
        try await outliers("profile", "--engine", "native,worker", "--", path).fails(65, "-x.csv: line 2", "--nan omit")
        try await outliers("profile", "--nan", "omit", "--engine", "native", "--", "-x.csv", in: scratch.path)
            .succeeds()
    }

    @Test func `a picture that cannot be written is told before the work`() async throws {
        let path = scratch["missing/p.png"]
        try await outliers("profile", "--plot", path).fails(73, path, "No such file")
    }

    @Test func `engines that cannot run are told beside those that can`() async throws {
        let bare = try await scratch.environment(name: "bare")
        let program = try await outliers("profile", "--samples", "1000", "--python-env", bare, "--json")
        let result = try JSONDecoder().decode(Result.self, from: Data(program.succeeds().utf8))
        #expect(result.engines.map(\.engine) == ["native"])
        #expect(result.failed.map(\.engine) == ["embedded", "copying", "worker", "subprocess"])
        #expect(result.failed.allSatisfy { $0.message.contains("numpy") })
        let table = try await outliers(
            "profile", "--samples", "1000", "--python-env", bare, "--engine", "native,worker"
        ).succeeds()
        #expect(table.contains("\nworker did not run: "))
        for engine in ["embedded", "worker", "embedded,copying"] {
            try await outliers("profile", "--samples", "1000", "--python-env", bare, "--engine", engine)
                .fails(69, "numpy")
        }
        let plain = try await scratch.environment("numpy", name: "plain")
        try await outliers(
            "profile", "--samples", "9", "--engine", "native", "--python-env", plain, "--plot", scratch["p.png"]
        ).fails(69, "--plot needs matplotlib")
    }

    @Test func `the subcommand for a process of its own is not in the help`() async throws {
        let help = try await outliers("--help").succeeds()
        #expect(help.contains("  profile ") && help.contains("  soak "))
        #expect(!help.contains("profile-engine"))
    }
}
