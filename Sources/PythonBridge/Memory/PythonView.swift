internal import CShim

/// A view of memory that Python holds: what the memory is, and the hold on it.
///
/// It is given up on any thread; on one that is not attached, at the next attachment.
@safe
final class PythonView: @unchecked Sendable {
    private let view: cshim_view
    private let interpreter: UInt32

    /// Takes a view: by the buffer protocol, else by DLPack, else by the Arrow C data interface. The thread is attached.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` when the object has none of them; ``PythonError/exception(_:)`` when it
    ///   has but does not give it.
    init(of value: borrowing PythonValue, expected: @autoclosure () -> String) throws(PythonError) {
        var view = unsafe cshim_view()
        if unsafe !cshim_view_acquire(value.handle, &view) {
            let refusal = PythonException.take()  // a TypeError where there is no buffer protocol
            if unsafe cshim_has_attribute(value.handle, "__dlpack__") {
                guard unsafe cshim_view_acquire_dlpack(value.handle, &view) else { throw .raised() }
            } else if unsafe cshim_has_attribute(value.handle, "__arrow_c_array__")
                || cshim_has_attribute(value.handle, "__arrow_c_stream__")
            {
                guard unsafe cshim_view_acquire_arrow(value.handle, &view) else { throw .raised() }
            } else {
                guard refusal.type == "TypeError" else { throw .exception(refusal) }
                throw .conversion(expected: expected(), found: value.typeName)
            }
        }
        unsafe self.view = unsafe view
        interpreter = cshim_running()
    }

    deinit {
        if let view = unsafe view.view { unsafe PendingReleases.release(view: view, of: interpreter) }
    }

    /// The shape, and the strides in bytes.
    var shape: [Int] { unsafe Array(UnsafeBufferPointer(start: view.shape, count: Int(view.dimensions))) }
    var byteStrides: [Int] { unsafe Array(UnsafeBufferPointer(start: view.strides, count: Int(view.dimensions))) }

    /// The first element; never null.
    var base: UnsafeMutableRawPointer { unsafe view.base ?? SharedStorage.placeholder }

    var isReadOnly: Bool { unsafe view.is_read_only }

    /// Where the elements lie, counted from `base`.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` unless the memory is aligned and holds elements of this type in this
    ///   machine's byte order, a whole number of elements apart.
    func layout<Element: BufferElement>(
        of type: Element.Type, expected: @autoclosure () -> String
    ) throws(PythonError) -> ArrayLayout {
        if let difference = difference(from: type) { throw .conversion(expected: expected(), found: difference) }
        let size = MemoryLayout<Element>.stride
        return try ArrayLayout(shape: shape, strides: byteStrides.map { $0 / size })
    }

    private func difference<Element: BufferElement>(from type: Element.Type) -> String? {
        let format = unsafe view.format.map { unsafe String(cString: $0) } ?? "B"
        if let difference = BufferFormat(format).difference(from: type) { return difference }
        if shape.contains(0) { return nil }
        guard unsafe UInt(bitPattern: view.base).isMultiple(of: UInt(MemoryLayout<Element>.alignment)) else {
            return "misaligned memory"
        }
        let size = MemoryLayout<Element>.stride
        let odd = zip(shape, byteStrides).first { $0 > 1 && !$1.isMultiple(of: size) }
        return odd.map { "a stride of \($1) bytes, which is no whole number of elements of \(size)" }
    }
}
