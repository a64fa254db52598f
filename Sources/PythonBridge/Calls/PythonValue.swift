internal import CShim

/// One owned reference to a Python object while the thread is attached: an argument on its way in, or a result before it is read.
///
/// It cannot be copied, and is given up when it goes out of scope. A ``PythonObject`` is what may be kept.
@safe
@frozen
public struct PythonValue: ~Copyable {
    /// Owned.
    @usableFromInline let handle: OpaquePointer

    /// Takes over a new reference.
    init(taking handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
    }

    /// Takes over a new reference, or throws the exception that prevented it.
    @inlinable
    init(created handle: OpaquePointer?) throws(PythonError) {
        guard let handle = unsafe handle else { throw .raised() }
        unsafe self.handle = unsafe handle
    }

    @inlinable
    deinit {
        unsafe PythonCall.release(handle)
    }

    /// Hands the reference over to whom takes it next.
    @inlinable
    consuming func take() -> OpaquePointer {
        let handle = unsafe handle
        discard self
        return unsafe handle
    }

    /// The name of the object's type, such as `int` or `numpy.ndarray`.
    public var typeName: String { unsafe String(cString: cshim_type_name(handle)) }
}
