import PythonBridge

/// Writes values one after the other in MessagePack. Source: the MessagePack specification.
package struct MessagePackWriter: Sendable {
    package private(set) var bytes: [UInt8]

    package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    package mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    package mutating func appendNil() { bytes.append(0xC0) }

    package mutating func append(_ value: Bool) { bytes.append(value ? 0xC3 : 0xC2) }

    package mutating func append(_ value: Int64) {
        if 0..<128 ~= value || -32..<0 ~= value { return bytes.append(UInt8(truncatingIfNeeded: value)) }
        append(0xD3, UInt64(bitPattern: value))
    }

    package mutating func append(_ value: UInt64) {
        if let value = Int64(exactly: value) { return append(value) }
        append(0xCF, value)
    }

    package mutating func append(_ value: Int) { append(Int64(value)) }

    package mutating func append(_ value: Double) { append(0xCB, value.bitPattern) }

    package mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            if utf8.count < 32 { bytes.append(0xA0 | UInt8(utf8.count)) } else { appendHeader(0xDB, utf8.count) }
            unsafe bytes.append(contentsOf: utf8)
        }
    }

    /// Less than 32 bytes of text.
    package mutating func append(short text: StaticString) {
        bytes.append(0xA0 | UInt8(text.utf8CodeUnitCount))
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func appendArray(count: Int) {
        if count < 16 { bytes.append(0x90 | UInt8(count)) } else { appendHeader(0xDD, count) }
    }

    /// An extension type's value, written by a closure.
    package mutating func append(_ type: WireExtension, _ body: (inout MessagePackWriter) -> Void) {
        appendHeader(0xC9, 0)
        bytes.append(type.rawValue)
        let start = bytes.count
        body(&self)
        guard let count = UInt32(exactly: bytes.count - start) else {
            preconditionFailure("more than 4 GiB in one value")
        }
        for index in 0..<4 { bytes[start - 2 - index] = UInt8(truncatingIfNeeded: count >> (8 * UInt32(index))) }
    }

    package mutating func append(_ type: WireExtension, _ body: UnsafeRawBufferPointer, prefix: [UInt8] = []) {
        appendHeader(0xC9, prefix.count + body.count)
        bytes.append(type.rawValue)
        bytes.append(contentsOf: prefix)
        unsafe bytes.append(contentsOf: body)
    }

    package mutating func append(packed other: [UInt8]) { bytes.append(contentsOf: other) }

    private mutating func appendHeader(_ code: UInt8, _ count: Int) {
        guard let count = UInt32(exactly: count) else { preconditionFailure("more than 4 GiB in one value") }
        bytes.append(code)
        unsafe withUnsafeBytes(of: count.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ code: UInt8, _ value: UInt64) {
        bytes.append(code)
        unsafe withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }
}

/// What a packet has in it that MessagePack has no type for.
package enum WireExtension: UInt8 {
    /// An array in memory that both sides map.
    case view
    /// A closure that Python can call.
    case function
    /// What gives Python memory.
    case allocator
    /// Numbers of 64 bits one after the other: `d` or `q`, then their bytes.
    case list
    /// Two doubles, big-endian.
    case complex
}

/// A packet that is not what it should be.
package struct WireError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Reads values one after the other. Nothing that the bytes say is believed: each read is checked against their end.
package struct MessagePackReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int
    /// The kind and the number of those that are still to be read of a ``WireExtension/list``.
    private var list: (letter: UInt8, count: Int)?

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    /// Whether all has been read.
    package var isAtEnd: Bool { position == end && list == nil }

    /// How many bytes are left: no list can have more items.
    package var remaining: Int { end - position }

    /// The code of the next value, which stays.
    private func peek() throws(WireError) -> UInt8 {
        guard position < end else { throw WireError("a packet ends too early") }
        return bytes[position]
    }

    private mutating func byte() throws(WireError) -> UInt8 {
        let byte = try peek()
        position += 1
        return byte
    }

    private mutating func take(_ count: Int) throws(WireError) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw WireError("a packet ends too early") }
        defer { position += count }
        return position..<position + count
    }

    private mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(WireError) -> Value {
        let range = try take(MemoryLayout<Value>.size)
        return unsafe bytes.withUnsafeBytes {
            unsafe Value(bigEndian: $0.loadUnaligned(fromByteOffset: range.lowerBound, as: Value.self))
        }
    }

    /// One of the numbers of a list.
    private mutating func listed(_ letter: Character) throws(WireError) -> UInt64 {
        guard let (found, count) = list, found == letter.asciiValue else { throw WireError("a list of other items") }
        list = count > 1 ? (found, count - 1) : nil
        return try integer(UInt64.self).byteSwapped
    }

    /// - Returns: False when the next value is another one, which stays.
    package mutating func readNil() throws(WireError) -> Bool {
        guard list == nil, try peek() == 0xC0 else { return false }
        position += 1
        return true
    }

    package mutating func readBool() throws(WireError) -> Bool {
        let code = try byte()
        guard list == nil, code == 0xC2 || code == 0xC3 else { throw WireError("no truth value") }
        return code == 0xC3
    }

    /// An integer of up to 64 bits, with or without a sign.
    package mutating func readInteger<Value: FixedWidthInteger>(as type: Value.Type) throws(WireError) -> Value? {
        if list != nil { return Value(exactly: Int64(bitPattern: try listed("q"))) }
        let code = try byte()
        switch code {
        case 0x00...0x7F: return Value(exactly: code)
        case 0xE0...0xFF: return Value(exactly: Int8(bitPattern: code))
        case 0xCC: return Value(exactly: try integer(UInt8.self))
        case 0xCD: return Value(exactly: try integer(UInt16.self))
        case 0xCE: return Value(exactly: try integer(UInt32.self))
        case 0xCF: return Value(exactly: try integer(UInt64.self))
        case 0xD0: return Value(exactly: try integer(Int8.self))
        case 0xD1: return Value(exactly: try integer(Int16.self))
        case 0xD2: return Value(exactly: try integer(Int32.self))
        case 0xD3: return Value(exactly: try integer(Int64.self))
        default: throw WireError("no integer")
        }
    }

    /// A number that counts or places something.
    package mutating func readInt() throws(WireError) -> Int {
        guard let value = try readInteger(as: Int.self) else { throw WireError("an integer out of range") }
        return value
    }

    package mutating func readDouble() throws(WireError) -> Double {
        if list != nil { return Double(bitPattern: try listed("d")) }
        guard try byte() == 0xCB else { throw WireError("no double") }
        return Double(bitPattern: try integer(UInt64.self))
    }

    package mutating func readString() throws(WireError) -> String {
        guard list == nil else { throw WireError("no text") }
        let code = try byte()
        let count: Int
        switch code {
        case 0xA0...0xBF: count = Int(code) - 0xA0
        case 0xD9: count = Int(try integer(UInt8.self))
        case 0xDA: count = Int(try integer(UInt16.self))
        case 0xDB: count = Int(try integer(UInt32.self))
        default: throw WireError("no text")
        }
        return String(decoding: bytes[try take(count)], as: UTF8.self)
    }

    /// The header of a list: the items come next, as many as this says. It may say more than there are.
    package mutating func readArray() throws(WireError) -> Int {
        guard list == nil else { throw WireError("no list") }
        let code = try byte()
        switch code {
        case 0x90...0x9F: return Int(code) - 0x90
        case 0xDC: return Int(try integer(UInt16.self))
        case 0xDD: return Int(try integer(UInt32.self))
        case 0xC9:
            position -= 1
            var inner = try readExtension(.list)
            let letter = try inner.byte()
            guard inner.remaining.isMultiple(of: 8) else { throw WireError("a list with half an item") }
            let count = inner.remaining / 8
            if count > 0 {
                position = inner.position
                list = (letter, count)
            }
            return count
        default: throw WireError("no list")
        }
    }

    /// The value of an extension type.
    package mutating func readExtension(_ type: WireExtension) throws(WireError) -> MessagePackReader {
        guard list == nil, try byte() == 0xC9 else { throw WireError("no extension") }
        let count = Int(try integer(UInt32.self))
        guard try byte() == type.rawValue else { throw WireError("another extension") }
        return MessagePackReader(bytes, try take(count))
    }

    /// Two doubles without codes of their own.
    package mutating func readComplex() throws(WireError) -> (real: Double, imaginary: Double) {
        var inner = try readExtension(.complex)
        let real = Double(bitPattern: try inner.integer(UInt64.self))
        let imaginary = Double(bitPattern: try inner.integer(UInt64.self))
        guard inner.isAtEnd else { throw WireError("no complex number") }
        return (real, imaginary)
    }
}
