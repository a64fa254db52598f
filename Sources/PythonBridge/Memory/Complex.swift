/// A complex number as numpy stores one: the real part, then the imaginary part.
///
/// The layout is that of C's `_Complex`, and of `Complex` in swift-numerics. There is no arithmetic here.
public struct Complex<Part: ComplexPart>: BitwiseCopyable, Sendable, Hashable {
    /// The real part.
    public var real: Part
    /// The imaginary part.
    public var imaginary: Part

    /// A number of two parts.
    @inlinable
    public init(_ real: Part, _ imaginary: Part = 0) {
        self.real = real
        self.imaginary = imaginary
    }
}

/// What a ``Complex`` number can consist of: `Double` or `Float`.
public protocol ComplexPart: BufferElement, BinaryFloatingPoint {
    /// The format of a pair of them.
    static var complexFormat: ElementFormat<Complex<Self>> { get }
}

extension Double: ComplexPart {
    /// numpy's `complex128`.
    public static var complexFormat: ElementFormat<Complex<Self>> { ElementFormat("Zd") }
}

extension Float: ComplexPart {
    /// numpy's `complex64`.
    public static var complexFormat: ElementFormat<Complex<Self>> { ElementFormat("Zf") }
}

extension Complex: BufferElement {
    /// `Z` and the format of a part, which is numpy's extension of the `struct` module (PEP 3118).
    public static var bufferFormat: ElementFormat<Self> { Part.complexFormat }
}
