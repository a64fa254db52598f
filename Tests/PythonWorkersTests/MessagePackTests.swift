import Testing

@testable import PythonWorkers

/// The bytes to be read were made by the Python package `msgpack` 1.2.2 (`packb`), and those written were read by it (`unpackb`).
struct MessagePackTests {
    private func bytes(_ digits: String) -> [UInt8] {
        var digits = digits[...]
        var bytes: [UInt8] = []
        while let byte = UInt8(digits.prefix(2), radix: 16) {
            bytes.append(byte)
            digits = digits.dropFirst(2)
        }
        return bytes
    }

    private func written(_ body: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        body(&writer)
        return writer.bytes
    }

    @Test(arguments: [
        ("00", 0), ("01", 1), ("7f", 127), ("cc80", 128), ("ccff", 255), ("cd0100", 256), ("cdffff", 65535),
        ("ce00010000", 65536), ("ce7fffffff", 2_147_483_647), ("ce80000000", 2_147_483_648),
        ("ceffffffff", 4_294_967_295), ("cf0000000100000000", 4_294_967_296), ("cf7fffffffffffffff", Int.max),
        ("ff", -1), ("e0", -32), ("d0df", -33), ("d080", -128), ("d1ff7f", -129), ("d18000", -32768),
        ("d2ffff7fff", -32769), ("d280000000", -2_147_483_648), ("d3ffffffff7fffffff", -2_147_483_649),
        ("d38000000000000000", Int.min),
    ])
    func `integers of every length are read`(digits: String, value: Int) throws {
        var reader = MessagePackReader(bytes(digits))
        #expect(try reader.readInteger(as: Int.self) == value)
        #expect(reader.isAtEnd)
        var again = MessagePackReader(written { $0.append(value) })
        #expect(try again.readInt() == value)
        #expect(again.isAtEnd)
        for count in 0..<bytes(digits).count {
            var reader = MessagePackReader(Array(bytes(digits).prefix(count)))
            #expect(throws: WireError.self) { try reader.readInt() }
        }
    }

    @Test
    func `integers without a sign go beyond those with one`() throws {
        for (digits, value) in [("cf8000000000000000", UInt64(1) << 63), ("cfffffffffffffffff", UInt64.max)] {
            var reader = MessagePackReader(bytes(digits))
            #expect(try reader.readInteger(as: UInt64.self) == value)
            var narrow = MessagePackReader(bytes(digits))
            #expect(throws: WireError.self) { try narrow.readInt() }
            #expect(written { $0.append(value) } == bytes(digits))
        }
        var negative = MessagePackReader(bytes("ff"))
        #expect(try negative.readInteger(as: UInt64.self) == nil)
    }

    @Test(arguments: [
        ("cb0000000000000000", 0.0), ("cb8000000000000000", -0.0), ("cb3ff8000000000000", 1.5),
        ("cb400921fb54442d18", Double.pi), ("cb7ff0000000000000", Double.infinity),
        ("cb0000000000000001", Double.leastNonzeroMagnitude),
    ])
    func `doubles are read and written to the bit`(digits: String, value: Double) throws {
        var reader = MessagePackReader(bytes(digits))
        #expect(try reader.readDouble().bitPattern == value.bitPattern)
        #expect(written { $0.append(value) } == bytes(digits))
    }

    @Test
    func `text of every length is read and written`() throws {
        let headers = [
            (0, "a0"), (1, "a1"), (31, "bf"), (32, "d920"), (255, "d9ff"), (256, "da0100"),
            (65535, "daffff"), (65536, "db00010000"),
        ]
        for (count, header) in headers {
            let text = String(repeating: "a", count: count)
            var reader = MessagePackReader(bytes(header) + Array(text.utf8))
            #expect(try reader.readString() == text)
            #expect(reader.isAtEnd)
            var short = MessagePackReader(bytes(header) + Array(text.utf8).dropLast())
            if count > 0 { #expect(throws: WireError.self) { try short.readString() } }
        }
        let mixed = bytes("b25ac3bc7269636820e2869220e69db1e4baac")
        var reader = MessagePackReader(mixed)
        #expect(try reader.readString() == "Zürich → 東京")
        #expect(written { $0.append("Zürich → 東京") } == mixed)
        #expect(written { $0.append(String(repeating: "a", count: 32)) }.starts(with: bytes("db0000002061")))
    }

    @Test
    func `lists of every length are read and written`() throws {
        for (count, header) in [
            (0, "90"), (3, "93"), (15, "9f"), (16, "dc0010"), (65535, "dcffff"), (65536, "dd00010000"),
        ] {
            var reader = MessagePackReader(bytes(header))
            #expect(try reader.readArray() == count)
        }
        #expect(written { $0.appendArray(count: 16) } == bytes("dd00000010"))
        var reader = MessagePackReader(bytes("98c0c3c201fbcb4004000000000000a17892019102"))
        #expect(try reader.readArray() == 8)
        #expect(try reader.readNil())
        #expect(try reader.readBool())
        #expect(try !reader.readBool())
        #expect(try reader.readInt() == 1)
        #expect(try reader.readInt() == -5)
        #expect(try reader.readDouble() == 2.5)
        #expect(try reader.readString() == "x")
        #expect(try reader.readArray() == 2)
        #expect(try reader.readInt() == 1)
        #expect(try reader.readArray() == 1)
        #expect(try reader.readInt() == 2)
        #expect(reader.isAtEnd)
    }

    @Test
    func `values of extension types are read and written`() throws {
        let list = written { $0.append(.list) { $0.append(packed: bytes("64000000000000f83f")) } }
        #expect(list == bytes("c9000000090364000000000000f83f"))
        var reader = MessagePackReader(list)
        #expect(try reader.readArray() == 1)
        #expect(try reader.readDouble() == 1.5)
        #expect(reader.isAtEnd)
        var complex = MessagePackReader(bytes("c900000010043ff8000000000000c000000000000000"))
        let (real, imaginary) = try complex.readComplex()
        #expect(real == 1.5 && imaginary == -2)
        for digits in ["c9000000080464", "c90000000904", "c900000001036400", "c9ffffffff03", "c700000000"] {
            var reader = MessagePackReader(bytes(digits))
            #expect(throws: WireError.self) { try reader.readComplex() }
        }
        var half = MessagePackReader(bytes("c9000000050364000000ff"))
        #expect(throws: WireError.self) { try half.readArray() }
    }
}
