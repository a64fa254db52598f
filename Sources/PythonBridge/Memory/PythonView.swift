internal import CShim
internal import Glibc

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
        let hasBuffer = unsafe cshim_has_buffer(value.handle)
        if unsafe !hasBuffer || !cshim_view_acquire(value.handle, &view) {
            let refusal = hasBuffer ? PythonException.take() : nil
            if unsafe cshim_has_attribute(value.handle, "__dlpack__") {
                guard unsafe cshim_view_acquire_dlpack(value.handle, &view) else { throw .raised() }
            } else if unsafe cshim_has_attribute(value.handle, "__arrow_c_array__")
                || cshim_has_attribute(value.handle, "__arrow_c_stream__")
            {
                guard unsafe cshim_view_acquire_arrow(value.handle, &view) else { throw .raised() }
            } else {
                throw refusal.map { .exception($0) } ?? .conversion(expected: expected(), found: value.typeName)
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

    /// How many elements there are, one after the other from `base` on.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` unless ``layout(of:expected:)`` has one dimension and is contiguous.
    func contiguousCount<Element: BufferElement>(
        of type: Element.Type, expected: @autoclosure () -> String
    ) throws(PythonError) -> Int {
        guard unsafe view.dimensions == 1, let shape = unsafe view.shape, let strides = unsafe view.strides else {
            throw unsafe .conversion(expected: expected(), found: "\(view.dimensions) dimensions")
        }
        if let difference = difference(from: type) { throw .conversion(expected: expected(), found: difference) }
        let (count, stride) = unsafe (shape[0], strides[0])
        guard count >= 0 else { throw .conversion(expected: expected(), found: "a length of \(count)") }
        guard count <= 1 || stride == MemoryLayout<Element>.stride else {
            throw .conversion(expected: expected(), found: "a stride of \(stride) bytes")
        }
        return count
    }

    /// What keeps the memory from being read as elements of this type where it is.
    private func difference<Element: BufferElement>(from type: Element.Type) -> String? {
        // Nearly always both formats are the same text.
        let format = unsafe view.format
        if unsafe format.map({ unsafe strcmp($0, Element.formatText) == 0 }) != true {
            let text = unsafe format.map { unsafe String(cString: $0) } ?? "B"
            if let difference = BufferFormat(text).difference(from: type) { return difference }
        }
        let size = MemoryLayout<Element>.stride
        var isEmpty = false
        var oddStride: Int?
        for dimension in 0..<Int(unsafe view.dimensions) {
            guard let length = unsafe view.shape?[dimension], let stride = unsafe view.strides?[dimension] else {
                break
            }
            if length == 0 { isEmpty = true }
            if length > 1 && !stride.isMultiple(of: size) { oddStride = stride }
        }
        if isEmpty { return nil }
        guard unsafe view.base != nil else { return "elements without memory" }
        guard unsafe UInt(bitPattern: view.base).isMultiple(of: UInt(MemoryLayout<Element>.alignment)) else {
            return "misaligned memory"
        }
        return oddStride.map { "a stride of \($0) bytes, which is no whole number of elements of \(size)" }
    }
}
