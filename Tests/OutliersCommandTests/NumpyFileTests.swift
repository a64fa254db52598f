import FoundationEssentials
import Testing

@Suite struct NumpyFileTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private static let types = ["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]

    /// A `.npy` file with this header; without padding when `isAligned` is false.
    private func npy(
        _ header: String, data: [UInt8] = [], version: UInt8 = 1, isAligned: Bool = true
    ) throws -> String {
        let lengthSize = version == 1 ? 2 : 4
        var text = Array(header.utf8)
        if isAligned {
            while (8 + lengthSize + text.count) % 64 != 63 { text.append(UInt8(ascii: " ")) }
            text.append(UInt8(ascii: "\n"))
        }
        let length = (0..<lengthSize).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        return try scratch.file("x.npy", [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data)
    }

    /// Eight bytes for each of the doubles.
    private func bytes(_ doubles: [Double]) -> [UInt8] {
        doubles.flatMap { double in (0..<8).map { UInt8(truncatingIfNeeded: double.bitPattern >> (8 * $0)) } }
    }

    // MARK: What can be read

    @Test(arguments: types)
    func `every type of number is read as numpy reads it`(type: String) async throws {
        let path = scratch["x.npy"]
        let expected = try await numpyOutliers(
            """
            x = np.random.default_rng(2).normal(60, 9, 9000).astype('<\(type)'); np.save(path, x)
            """, path: path)
        for engine in engines {
            #expect(try await outliers("detect", path, "--engine", engine, "--indices").list() == expected, "\(engine)")
        }
        #expect(!expected.isEmpty)
    }

    @Test(arguments: types)
    func `the extreme values of a type are shown as they are`(type: String) async throws {
        let limit = type.hasPrefix("f") ? "1e30" : "np.iinfo('\(type)').max"
        let path = try await scratch.numpy(
            "x.npy", "np.r_[np.zeros(99, '\(type)'), np.array([\(limit)], '\(type)')]")
        let table = try await outliers("detect", path, "--engine", "native").succeeds()
        #expect(table.hasSuffix("\n[99]\n"))
        #expect(try await outliers("detect", path).succeeds().hasSuffix("\n[99]\n"))
    }

    @Test(arguments: ["C", "F"], engines)
    func `a column of a two-dimensional array is one series`(order: String, engine: String) async throws {
        let path = scratch["x.npy"]
        for column in 1...3 {
            let expected = try await numpyOutliers(
                """
                x = np.asarray(np.random.default_rng(4).normal(0, [1, 10, 100], (5000, 3)), order='\(order)')
                np.save(path, x)
                assert np.load(path).flags['\(order)_CONTIGUOUS']
                x = x[:, \(column - 1)]
                """, path: path)
            let found = try await outliers("detect", path, "--column", "\(column)", "--engine", engine, "--indices")
            #expect(try found.list() == expected)
        }
    }

    @Test(arguments: ["C", "F"], types)
    func `a column of any type is one series`(order: String, type: String) async throws {
        let path = scratch["x.npy"]
        let expected = try await numpyOutliers(
            """
            x = np.random.default_rng(4).normal(50, [1, 10, 9], (3000, 3)).astype('\(type)', order='\(order)')
            np.save(path, x)
            x = x[:, 1]
            """, path: path)
        for engine in ["embedded", "native"] {
            let found = try await outliers("detect", path, "--column", "2", "--engine", engine, "--indices")
            #expect(try found.list() == expected, "\(engine)")
        }
    }

    @Test(arguments: engines)
    func `a table of one column needs no choice`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(99), 1].reshape(100, 1)")
        #expect(try await outliers("detect", path, "--engine", engine, "--indices").list() == [99])
    }

    @Test(arguments: engines)
    func `an array without samples has no outliers`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros(0)")
        let report = try await outliers("detect", path, "--engine", engine, "--json").report()
        #expect(report == Report(count: 0, indices: [], samples: 0, threshold: 2, engine: engine))
    }

    @Test(arguments: engines)
    func `a table without rows has columns without samples`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros((0, 3))")
        let report = try await outliers("detect", path, "--column", "3", "--engine", engine, "--json").report()
        #expect(report.samples == 0)
    }

    @Test(arguments: [1, 2, 3] as [UInt8])
    func `every version of the format is read`(version: UInt8) async throws {
        let path = scratch["x.npy"]
        try await python(
            """
            import sys, numpy as np
            with open(sys.argv[1], 'wb') as file:
                np.lib.format.write_array(file, np.r_[np.zeros(99), 1], version=(\(version), 0) if \(version) < 3 else None)
            data = bytearray(open(sys.argv[1], 'rb').read())
            if \(version) == 3:
                length = int.from_bytes(data[8:10], 'little')
                header, values = data[10:9 + length] + b' ' * 62 + b'\\n', data[10 + length:]
                data = data[:6] + bytes([3, 0]) + len(header).to_bytes(4, 'little') + header + values
                open(sys.argv[1], 'wb').write(data)
                assert np.load(sys.argv[1]).shape == (100,)
            assert data[6] == \(version)
            """, path)
        #expect(try await detect(path, "--indices").list() == [99])
    }

    @Test func `a header as numpy wrote it under Python 2 is read`() async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }", data: bytes([1, 2, 3]))
        #expect(try await detect(path, "--json").report().mean == 2)
    }

    @Test func `bytes behind the data are left alone`() async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", data: bytes([1, 2, 3, 9e9]))
        #expect(try await detect(path, "--json").report().mean == 2)
    }

    @Test(arguments: engines)
    func `an array that comes through a pipe is read`(engine: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.r_[np.zeros(200_000), 1]")
        let found = try await shell(
            "cat \"$1\" | \"$outliers\" detect - --format npy --indices --engine \(engine)", path)
        #expect(try found.list() == [200_000])
    }

    @Test(arguments: ["native", "embedded"])
    func `a file far larger than the memory is mapped and only its column touched`(engine: String) async throws {
        // 256 GiB on paper: a program that read the file would need more memory than it is given here.
        let printed = try await python(
            """
            import os, resource, subprocess, sys
            header = b"{'descr': '<f8', 'fortran_order': True, 'shape': (1024, 33554432), }"
            header += b' ' * (127 - 10 - len(header)) + b'\\n'
            with open(sys.argv[1], 'wb') as file:
                file.write(b'\\x93NUMPY\\x01\\x00' + len(header).to_bytes(2, 'little') + header)
                file.truncate(128 + 1024 * 33554432 * 8)
                file.seek(128 + (33554431 * 1024 + 1023) * 8)
                file.write(b'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?')
            run = subprocess.run([os.environ['outliers'], 'detect', sys.argv[1], '--column', '33554432', '--indices',
                '--engine', sys.argv[2]], capture_output=True, text=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            print(run.stdout + run.stderr, end='')
            print(peak < 2 << 20)
            """, scratch["x.npy"], engine)
        #expect(printed == "[1023]\nTrue\n")
    }

    @Test(arguments: ["native", "embedded"])
    func `a mapped array is not counted as memory of the program's own`(engine: String) async throws {
        // The data limit counts the heap and private mappings, not a mapped file: the rest of the program has to fit beside.
        let printed = try await python(
            """
            import os, re, subprocess, sys
            count = 1 << 24
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % count
            header += b' ' * (127 - 10 - len(header)) + b'\\n'
            with open(sys.argv[1], 'wb') as file:
                file.write(b'\\x93NUMPY\\x01\\x00' + len(header).to_bytes(2, 'little') + header)
                file.truncate(128 + count * 8)
                file.seek(128 + 77 * 8)
                file.write(b'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?')
            child = subprocess.Popen([os.environ['outliers'], 'detect', sys.argv[1], '--threshold', '100', '--engine',
                sys.argv[2], '--indices'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            anonymous = 0
            while child.poll() is None:
                status = open('/proc/%d/status' % child.pid).read()
                found = re.search(r'RssAnon:\\s+(\\d+) kB', status)
                if found: anonymous = max(anonymous, int(found[1]) << 10)
            output, error = child.communicate()
            print(output + error, end='')
            # A copy of the array would make it 128 MiB at least.
            print(anonymous > 0, anonymous < count * 8 or anonymous)
            """, scratch["x.npy"], engine)
        #expect(printed == "[77]\nTrue True\n")
    }

    // MARK: What is refused

    @Test func `a table of several columns asks for one of them`() async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros((4, 3))")
        try await detect(path).fails(64, path, "--column", "1 to 3")
    }

    @Test(arguments: ["0", "4", "-1", "a", "1.0", "9223372036854775808"])
    func `a column that is not there is named with those there are`(column: String) async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros((4, 3))")
        try await detect(path, "--column=\(column)").fails(65, path, "'\(column)'", "1 to 3")
    }

    @Test func `a table without columns is bad data`() async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros((3, 0))")
        try await detect(path).fails(65, path, "no column")
    }

    @Test(arguments: ["5.0", "np.zeros((2, 3, 4))", "np.zeros((0, 3, 4))"])
    func `an array of no or of three dimensions is refused`(array: String) async throws {
        let path = try await scratch.numpy("x.npy", array)
        try await detect(path).fails(65, path, "dimensions")
    }

    @Test(arguments: [
        ("np.zeros(3, '>f8')", ["foreign byte order", ">f8"]), ("np.zeros(3, '>i4')", ["foreign byte order", ">i4"]),
        ("np.zeros(3, '>u2')", ["foreign byte order", ">u2"]),
        ("np.array([{}, []], object)", ["object", "pickled"]), ("np.zeros(3, complex)", ["complex"]),
        ("np.zeros(3, 'c8')", ["complex"]), ("np.array(['a', 'b'])", ["text"]), ("np.array([b'a'])", ["text"]),
        ("np.zeros(3, bool)", ["boolean"]), ("np.zeros(3, [('a', 'f8'), ('b', 'i4')])", ["fields"]),
        ("np.zeros(3, 'M8[s]')", ["dates"]), ("np.zeros(3, 'm8[s]')", ["time"]), ("np.zeros(3, 'f2')", ["<f2"]),
        ("np.zeros(3, np.longdouble)", ["f16"]), ("np.zeros(3, 'V5')", ["V5"]),
    ])
    func `an element type that cannot be read is named`(array: String, parts: [String]) async throws {
        let path = try await scratch.numpy("x.npy", array)
        let program = try await detect(path)
        program.fails(65, path)
        for part in parts { #expect(program.error.contains(part)) }
    }

    @Test func `one byte has no byte order`() async throws {
        let path = try npy("{'descr': '>i1', 'fortran_order': False, 'shape': (3,), }", data: [1, 2, 3])
        #expect(try await detect(path, "--json").report().mean == 2)
    }

    @Test func `truncated data is noticed`() async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros(100)")
        let whole = try scratch.contents("x.npy")
        for count in [128, 129, whole.count - 8, whole.count - 1] {
            try await detect(try scratch.file("x.npy", Array(whole.prefix(count)))).fails(
                65, path, "truncated")
        }
    }

    @Test func `a header that is cut anywhere is noticed`() async throws {
        let path = try await scratch.numpy("x.npy", "np.zeros(100)")
        let whole = try scratch.contents("x.npy")
        for count in 0..<128 where count < 16 || count.isMultiple(of: 8) {
            try await outliers("detect", try scratch.file("x.npy", Array(whole.prefix(count))), "--engine", "native")
                .fails(65, path)
        }
    }

    @Test(arguments: [
        "(9223372036854775807,)", "(9223372036854775807, 2)", "(4611686018427387904, 4)", "(2, 9223372036854775807)",
        "(1152921504606846976, 2)", "(1000000000000,)",
    ])
    func `a shape that promises more than there is is refused`(shape: String) async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': False, 'shape': \(shape), }", data: bytes([1, 2]))
        try await detect(path, "--column", "1").fails(65, path, "promises")
    }

    @Test(arguments: ["True", "False"], ["(0, 9223372036854775807)", "(0, 4611686018427387904)"])
    func `a shape of nothing may be huge elsewhere`(order: String, shape: String) async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': \(order), 'shape': \(shape), }")
        let report = try await detect(path, "--column", "4611686018427387904", "--json").report()
        #expect(report.samples == 0)
    }

    @Test(arguments: [
        "{'descr': '<f8', 'fortran_order': False, }", "{'descr': '<f8', 'shape': (1,), }",
        "{'fortran_order': False, 'shape': (1,), }", "{}", "", "()", "None", "{'descr': '<f8'",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1.5,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 1, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f8', 'fortran_order': 2, 'shape': (1,), }",
        "{'descr': None, 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<x8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), } garbage",
        "{'descr': '<f8', 'fortran_order': False, 'shape': ((((((((((((((((((((1,),),),),),),),),),),),),),),),),),),),), }",
        "{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [1], }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (01,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1, }",
        "{'descr': 'a\0', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<<f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<=f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8',\u{B}'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8',\u{A0}'fortran_order': False, 'shape': (1,), }",
        "\n {'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n ",
    ])
    func `a header that numpy does not write is refused`(header: String) async throws {
        let path = try npy(header, data: bytes([1, 2]))
        try await detect(path).fails(65, path)
    }

    @Test func `the long integers of Python 2 are no part of version 3`() async throws {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }"
        try await detect(try npy(header, data: bytes([1, 2, 3]), version: 2)).succeeds()
        try await detect(try npy(header, data: bytes([1, 2, 3]), version: 3)).fails(65, "header")
    }

    @Test func `a header longer than numpy reads is refused`() async throws {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"
        for (length, isRead) in [(10_000, true), (10_001, false)] {
            let padding = String(repeating: " ", count: length - header.utf8.count)
            let start = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
            let path = try scratch.file("x.npy", start + Array((header + padding).utf8) + [1, 2, 3, 4, 5, 6, 7, 8])
            // Either way the data is misaligned or the header too long: the message tells which was noticed.
            try await detect(path).fails(65, isRead ? "misaligned" : "longer than the 10000")
        }
    }

    @Test func `an unknown minor version is named`() async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }")
        var file = try scratch.contents("x.npy")
        file[7] = 1
        try await detect(try scratch.file("x.npy", file)).fails(65, path, "version 1.1")
    }

    @Test(arguments: [0, 4, 255] as [UInt8])
    func `an unknown version is named`(version: UInt8) async throws {
        let path = try npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }", version: version)
        try await detect(path).fails(65, path, "version \(version)")
    }

    @Test func `misaligned data is refused in words, not with a crash`() async throws {
        let path = try npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", data: bytes([1, 2]), isAligned: false)
        try await detect(path).fails(65, path, "misaligned")
    }

    @Test(arguments: ["1,2,3\n", "PK\u{3}\u{4}", "\u{93}NUMPY", "x"])
    func `what is no npy file is called so`(text: String) async throws {
        try await detect(try scratch.file("x.npy", text)).fails(65, "x.npy", "not a .npy file")
    }

    @Test(arguments: 0..<6)
    func `no mutation of a header crashes the program`(round: UInt64) async throws {
        // All in one process of Python, which starts the program and reports what it did.
        let printed = try await python(
            """
            import io, os, random, subprocess, sys, numpy as np
            seed = random.Random(\(round))
            arrays = [np.arange(50.0), np.arange(60, dtype='i2').reshape(20, 3), np.asfortranarray(np.ones((9, 4), 'f4'))]
            tokens = [b'9' * 19, b'9' * 40, b'-1', b'0', b'(', b')', b'{', b'}', b"'", b',', b'True', b'\\x00', b'\\xff', b'L',
                b"'shape'", b'[' * 40, b'\\\\', b'>', b'|O', b'4611686018427387904', b'\\n']
            for trial in range(60):
                array = seed.choice(arrays)
                buffer = io.BytesIO()
                np.save(buffer, array)
                data = bytearray(buffer.getvalue())
                for _ in range(seed.randint(1, 4)):
                    where = seed.randrange(128)
                    kind = seed.randrange(4)
                    if kind == 0: data[where] = seed.randrange(256)
                    elif kind == 1: data[where:where + seed.randint(0, 3)] = seed.choice(tokens)
                    elif kind == 2: del data[where:where + seed.randint(1, 9)]
                    else: data[8:10] = seed.randrange(1 << 16).to_bytes(2, 'little')
                path = sys.argv[1] + '/m.npy'
                open(path, 'wb').write(data)
                run = subprocess.run([os.environ['outliers'], 'detect', path, '--engine', 'native', '--column', '1',
                    '--indices'], capture_output=True)
                good = run.returncode == 0 and not run.stderr or run.returncode == 65 and not run.stdout
                good = good and run.stderr.count(b'\\n') == (run.returncode > 0)
                good = good and (not run.stderr or run.stderr.startswith(b'outliers: '))
                if not good: print(trial, run.returncode, bytes(data[:140]), run.stdout, run.stderr)
            print('done')
            """, scratch.path)
        #expect(printed == "done\n")
    }
}
