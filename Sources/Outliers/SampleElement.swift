public import PythonBridge

/// A type that samples can have: the numbers of every width.
///
/// Detection computes in double precision; 64-bit integers beyond 2⁵³ are rounded, as numpy rounds them.
public protocol SampleElement: BufferElement {
    /// The sample in double precision.
    var doubleValue: Double { get }
}

extension Double: SampleElement {
    /// The number itself.
    public var doubleValue: Double { self }
}

extension BinaryInteger where Self: SampleElement {
    /// The nearest `Double`.
    public var doubleValue: Double { Double(self) }
}

extension Float: SampleElement {
    /// The same number.
    public var doubleValue: Double { Double(self) }
}

extension Int: SampleElement {}
extension Int64: SampleElement {}
extension Int32: SampleElement {}
extension Int16: SampleElement {}
extension Int8: SampleElement {}
extension UInt: SampleElement {}
extension UInt64: SampleElement {}
extension UInt32: SampleElement {}
extension UInt16: SampleElement {}
extension UInt8: SampleElement {}
