internal import CShim

/// A call that is put together once and made again and again: function, arguments and views stay as they are.
///
/// ```swift
/// let samples = try SharedBuffer<Double>(capacity: 1000)
/// let indices = try SharedBuffer<Int>(capacity: 251)
/// let detect = try python.function("detect_into", in: "pyoutliers").prepared(samples, indices)
/// while let batch = next() {
///     samples.withUnsafeMutableBufferPointer { _ = $0.update(from: batch) }
///     let found: Int = try detect()
/// }
/// ```
///
/// Python sees in its arguments what Swift last wrote to the buffers. A call allocates nothing in Swift, and nothing in Python but
/// what the function itself makes. Any thread may call, several at once too if the function stands it. The arguments are held until
/// the value is given up. Source: `PyObject_Vectorcall`.
@safe
public final class PreparedCall: Sendable {
    @usableFromInline let function: PythonFunction
    /// Owned references, the keywords' last.
    private nonisolated(unsafe) let arguments: UnsafeMutableBufferPointer<OpaquePointer?>
    private let positionalCount: Int
    /// Owned: a tuple of the names of the last arguments.
    private nonisolated(unsafe) let keywordNames: OpaquePointer?

    fileprivate init(
        _ function: PythonFunction, _ arguments: [PythonObject], _ keywords: PythonKeywords?
    ) throws(PythonError) {
        try function.object.validate()
        let entries = keywords?.entries ?? []
        var objects = arguments
        for entry in entries { objects.append(try PythonObject(of: entry.value)) }
        var names: PythonValue?
        if !entries.isEmpty {
            names = unsafe try PythonValue(created: cshim_tuple(entries.count))
            for (index, entry) in entries.enumerated() {
                let name = try unsafe entry.name.pythonValue().take()
                if let names = unsafe names?.handle { unsafe cshim_tuple_fill(names, index, name) }
            }
        }
        self.function = function
        unsafe self.arguments = .allocate(capacity: objects.count)
        _ = unsafe self.arguments.initialize(fromContentsOf: objects.map { unsafe cshim_retain($0.handle) })
        positionalCount = arguments.count
        unsafe keywordNames = unsafe names?.take()
    }

    deinit {
        for index in unsafe arguments.indices {
            guard let argument = unsafe arguments[index] else { continue }
            unsafe PendingReleases.release(argument, of: function.object.interpreter)
        }
        if let names = unsafe keywordNames { unsafe PendingReleases.release(names, of: function.object.interpreter) }
        unsafe arguments.deallocate()
    }

    /// Calls, and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/conversion(expected:found:)`` when the result is
    ///   not an `R`; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<R: PythonResult>() throws(PythonError) -> R {
        let call = begin(readsInteger: R.self == Int.self)
        if call.isOver { return unsafe unsafeBitCast(call.value, to: R.self) }  // an Int
        guard call.isOpen else { throw .notRunning }
        return try call.finish(end: Self.end)
    }

    /// Calls, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction() throws(PythonError) {
        let _: Ignored = try self()
    }

    /// Attaches this thread and calls.
    @usableFromInline
    func begin(readsInteger: Bool) -> CallState {
        // What is due is done by an attached thread.
        unsafe CallState(
            cshim_call_prepared(
                function.object.interpreter, function.object.handle, arguments.baseAddress, positionalCount,
                keywordNames, readsInteger && !PendingReleases.isDue))
    }

    @usableFromInline
    static func end(_ call: CallState) { cshim_detach(call.attachment) }
}

extension PythonFunction {
    /// Puts a call together that can be made again and again. Memory is shared: a ``SharedBuffer``, a ``SharedArray``.
    ///
    /// - Throws: ``PythonError`` when an argument cannot be passed; ``PythonError/notRunning``.
    public func prepared<each Argument: PythonConvertible>(
        _ arguments: repeat each Argument, keywords: PythonKeywords? = nil
    ) throws(PythonError) -> PreparedCall {
        let attachment = try Attachment(to: object.interpreter)
        defer { extendLifetime(attachment) }
        var objects: [PythonObject] = []
        for argument in repeat each arguments { objects.append(try PythonObject(of: argument)) }
        return try PreparedCall(self, objects, keywords)
    }
}

extension PythonObject {
    /// Holds what a value is in Python. The thread is attached.
    fileprivate convenience init(of value: some PythonConvertible) throws(PythonError) {
        unsafe self.init(taking: try value.pythonValue().take())
    }
}
