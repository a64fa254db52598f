/// A fixed-width type whose memory Python and Swift read alike.
///
/// The conforming types are `Double`, `Float`, `Float16`, every integer from 8 to 64 bits, `Int`, `UInt`, `Bool`, and ``Complex``
/// of `Double` or `Float`. numpy sees them as its canonical `float64` … `float16`, `int8` … `uint64`, `bool_`, `complex128` and
/// `complex64`.
///
/// Source: the format characters of Python's `struct` module, as the buffer protocol uses them (PEP 3118). On Linux the
/// character for a 64-bit integer is `l` rather than `q`, because numpy's `int64` is C's `long`.
///
/// No other type can conform, since Python can put any bytes into an element, and an enumeration or a pointer of any bytes is none.
public protocol BufferElement: BitwiseCopyable, Sendable {
    /// How the buffer protocol calls an element.
    static var bufferFormat: ElementFormat<Self> { get }

    /// The element stored at `address`, which must be aligned for it.
    ///
    /// Python can put any bytes there: a type with invalid bit patterns (`Bool`) makes a valid value of them.
    @unsafe static func element(at address: UnsafeRawPointer) -> Self
}

extension BufferElement {
    /// The element stored at `address`, every bit pattern being a value.
    @inlinable
    @unsafe public static func element(at address: UnsafeRawPointer) -> Self {
        unsafe address.load(as: Self.self)
    }
}

/// One character of the `struct` module, such as `d`, or `Z` and one for a complex number.
///
/// Only the bridge makes them, each for one type.
public struct ElementFormat<Element>: Sendable {
    @usableFromInline package let text: StaticString

    @usableFromInline
    init(_ text: StaticString) { self.text = text }
}

extension ElementFormat: CustomStringConvertible {
    /// The character or the two.
    public var description: String { "\(text)" }
}

extension BufferElement {
    /// The format as C text of static lifetime.
    @inlinable
    static var formatText: UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(bufferFormat.text.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

extension Double: BufferElement {
    /// C's `double`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("d") }
}

extension Float: BufferElement {
    /// C's `float`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("f") }
}

extension Float16: BufferElement {
    /// IEEE 754's binary16.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("e") }
}

extension Int: BufferElement {
    /// C's `long`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("l") }
}

extension Int64: BufferElement {
    /// C's `long`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("l") }
}

extension Int32: BufferElement {
    /// C's `int`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("i") }
}

extension Int16: BufferElement {
    /// C's `short`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("h") }
}

extension Int8: BufferElement {
    /// C's `signed char`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("b") }
}

extension UInt: BufferElement {
    /// C's `unsigned long`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("L") }
}

extension UInt64: BufferElement {
    /// C's `unsigned long`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("L") }
}

extension UInt32: BufferElement {
    /// C's `unsigned int`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("I") }
}

extension UInt16: BufferElement {
    /// C's `unsigned short`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("H") }
}

extension UInt8: BufferElement {
    /// C's `unsigned char`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("B") }
}

extension Bool: BufferElement {
    /// C's `_Bool`.
    public static var bufferFormat: ElementFormat<Self> { ElementFormat("?") }

    /// True for any byte but 0, since Python may write 2 through another view of the same memory.
    @inlinable
    @unsafe public static func element(at address: UnsafeRawPointer) -> Bool {
        unsafe address.load(as: UInt8.self) != 0
    }
}
