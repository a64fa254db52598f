import PythonBridge

/// An element type whose values tell where in the memory they are.
protocol FuzzElement: BufferElement, Equatable {
    init(position: Int)
}

extension FixedWidthInteger where Self: FuzzElement {
    init(position: Int) { self.init(truncatingIfNeeded: position) }
}

extension Double: FuzzElement {
    init(position: Int) { self.init(position) }
}

extension Float: FuzzElement {
    init(position: Int) { self.init(position) }
}

extension Float16: FuzzElement {
    init(position: Int) { self.init(position) }
}

extension Complex: FuzzElement {
    init(position: Int) { self.init(Part(position), 0) }
}

extension Bool: FuzzElement {
    init(position: Int) { self = position % 2 == 1 }
}

extension Int64: FuzzElement {}
extension Int32: FuzzElement {}
extension Int16: FuzzElement {}
extension Int8: FuzzElement {}
extension UInt64: FuzzElement {}
extension UInt32: FuzzElement {}
extension UInt16: FuzzElement {}
extension UInt8: FuzzElement {}

/// In the order of `TYPES` in `Tests/Fixtures/layouts.py`.
let elementTypes: [any FuzzElement.Type] = [
    Double.self, Float.self, Float16.self, Int64.self, Int32.self, Int16.self, Int8.self, UInt64.self, UInt32.self,
    UInt16.self, UInt8.self, Bool.self, Complex<Double>.self, Complex<Float>.self,
]
