internal import CShim

/// A Python object of any type, held by one reference: to look at, to pass on, or to call.
///
/// It may be used and released on any thread; a release on a thread that is not attached is done at the next attachment.
/// After the interpreter has stopped it is inert: using it throws ``PythonError/notRunning``.
@safe
public final class PythonObject: Sendable {
    /// The one reference, which this object owns.
    @usableFromInline nonisolated(unsafe) let handle: OpaquePointer
    /// The interpreter that the reference is of.
    @usableFromInline let interpreter: UInt32

    /// Takes over a new reference. The thread is attached.
    init(taking handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
        interpreter = cshim_running()
    }

    /// Imports a module. The thread is attached.
    convenience init(importing module: String) throws(PythonError) {
        let name = try unsafe module.pythonValue()
        unsafe self.init(taking: try PythonValue(created: cshim_import(name.handle)).take())
    }

    deinit {
        unsafe PendingReleases.release(handle, of: interpreter)
    }

    /// Throws unless the interpreter that the object is of still runs. The thread is attached.
    func validate() throws(PythonError) {
        guard cshim_running() == interpreter else { throw .notRunning }
    }

    /// The name of the object's type, such as `numpy.ndarray`.
    ///
    /// - Throws: ``PythonError/notRunning``.
    public var typeName: String {
        get throws(PythonError) {
            let attachment = try Attachment()
            defer { extendLifetime(attachment) }
            try validate()
            return unsafe String(cString: cshim_type_name(handle))
        }
    }

    /// The object as a Swift value, read as a result of that type is: `let name: String = try object.read()`.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` when it is something else; ``PythonError/notRunning``.
    public func read<R: PythonResult>(as type: R.Type = R.self) throws(PythonError) -> R {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        return try R.read(unsafe pythonValue())
    }

    /// The attribute of the given name. Source: `PyObject_GetAttrString`.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with `AttributeError` when there is none.
    public func attribute(_ name: String) throws(PythonError) -> PythonObject {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        try validate()
        let name = try unsafe name.pythonValue()
        return unsafe PythonObject(taking: try PythonValue(created: cshim_attribute(handle, name.handle)).take())
    }

    /// The attribute of the given name as something to call.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with `AttributeError` when there is none; ``PythonError/notCallable(name:type:)``.
    public func function(_ name: String) throws(PythonError) -> PythonFunction {
        let attachment = try Attachment()
        defer { extendLifetime(attachment) }
        let object = try attribute(name)
        guard unsafe cshim_is_callable(object.handle) else {
            throw .notCallable(name: name, type: try object.typeName)
        }
        return PythonFunction(object: object, name: name)
    }
}

extension PythonObject: PythonConvertible {
    /// The object itself.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        try validate()
        return unsafe PythonValue(taking: cshim_retain(handle))
    }
}

extension PythonObject: PythonResult {
    /// Holds the result, whatever it is.
    public static func read(_ value: borrowing PythonValue) -> PythonObject {
        unsafe PythonObject(taking: cshim_retain(value.handle))
    }
}
