internal import CShim

/// One call while it is put together: this thread's attachment, the arguments so far, and what is lent.
///
/// A ``PythonArgument`` appends itself to it. The argument vector is on a stack of its own that each thread has, so
/// that a call allocates nothing in Swift.
@safe
public struct PythonCall: ~Copyable {
    private let frame: cshim_frame
    /// Borrowed from the function, which outlives its call.
    private let callable: OpaquePointer
    /// One cell for the callee's own use (`PY_VECTORCALL_ARGUMENTS_OFFSET`) comes before `capacity` owned references to the
    /// arguments; `capacity` owned references to the exporters of those that are lent follow. The first `count` are set.
    private let arguments: UnsafeMutablePointer<OpaquePointer?>
    private let capacity: Int
    @usableFromInline private(set) var count = 0
    private var keywordCount = 0
    /// Owned: a tuple of the names of the last arguments.
    private var keywordNames: OpaquePointer?
    private var escapedViews: [PythonEscape.View]?
    /// A bit for each positional argument of which Python kept a view.
    @usableFromInline var escapedPositions = 0
    /// Why an argument could not be passed.
    @usableFromInline var failure: PythonError?
    /// Whether a view that was lent is still there after the call.
    @usableFromInline var hasEscapes = false

    /// Attaches this thread.
    ///
    /// - Throws: ``PythonError/notRunning``.
    @usableFromInline
    init(_ function: borrowing PythonFunction, capacity: Int) throws(PythonError) {
        let size = 2 * capacity + 1
        let frame = unsafe cshim_frame_begin(function.object.interpreter, size)
        guard let references = unsafe frame.references else {
            throw unsafe frame.attachment == .CSHIM_NOT_RUNNING ? .notRunning : .outOfMemory(byteCount: size * 8)
        }
        unsafe self.frame = unsafe frame
        unsafe callable = unsafe function.object.handle
        unsafe arguments = unsafe references + 1
        self.capacity = capacity
        PendingReleases.drain()
    }

    deinit {
        if let keywordNames = unsafe keywordNames { unsafe cshim_release(keywordNames) }
        unsafe cshim_frame_end(frame, 2 * capacity + 1)
    }

    private var exporters: UnsafeMutablePointer<OpaquePointer?> { unsafe arguments + capacity }

    // MARK: - Arguments

    /// Has an argument append itself. It lives until ``settle(_:at:)``.
    ///
    /// Once one has failed, the rest leave their cells empty and the call does not come to pass; what was lent before is ended and
    /// settled all the same, for Python code that ran meanwhile may have seen it.
    @inlinable
    mutating func append<A: PythonArgument & ~Copyable & ~Escapable>(argument: borrowing A) {
        let position = count
        if failure == nil {
            do throws(PythonError) {
                try unsafe argument.pass(to: &self)
                precondition(count == position + 1, "a PythonArgument must append exactly one object")
                return
            } catch {
                failure = error
            }
        }
        skip(to: position + 1)
    }

    /// Leaves cells empty.
    @usableFromInline
    mutating func skip(to position: Int) {
        while count < position {
            unsafe arguments[count] = nil
            unsafe exporters[count] = nil
            count += 1
        }
    }

    /// Appends an argument.
    ///
    /// - Precondition: A ``PythonArgument`` appends exactly one.
    public mutating func append(_ value: consuming PythonValue) {
        unsafe append(value.take(), exporter: nil)
    }

    /// Appends a view of memory that is lent until the call is over: `count` elements of `itemSize` bytes.
    @usableFromInline
    mutating func appendLent(
        base: UnsafeMutableRawPointer, count: Int, itemSize: Int, format: UnsafePointer<CChar>, isReadOnly: Bool
    ) throws(PythonError) {
        let lent = unsafe cshim_lend(base, count, itemSize, itemSize, format, isReadOnly)
        guard let view = unsafe lent.view else { throw .raised() }
        unsafe append(view, exporter: lent.exporter)
    }

    /// Appends a view of memory of any number of dimensions: `shapeAndStrides` are the lengths and then the strides in bytes.
    mutating func appendLent(
        base: UnsafeMutableRawPointer, dimensions: Int, shapeAndStrides: UnsafePointer<Int>, itemSize: Int,
        format: UnsafePointer<CChar>, isReadOnly: Bool
    ) throws(PythonError) {
        let lent = unsafe cshim_lend_array(base, Int32(dimensions), shapeAndStrides, itemSize, format, isReadOnly)
        guard let view = unsafe lent.view else { throw .raised() }
        unsafe append(view, exporter: lent.exporter)
    }

    private mutating func append(_ argument: OpaquePointer, exporter: OpaquePointer?) {
        precondition(count < capacity, "a PythonArgument must append exactly one object")
        unsafe arguments[count] = unsafe argument
        unsafe exporters[count] = unsafe exporter
        count += 1
    }

    /// Appends the keyword arguments, after all others.
    @usableFromInline
    mutating func append(_ keywords: PythonKeywords) {
        do throws(PythonError) {
            let names = unsafe try PythonValue(created: cshim_tuple(keywords.entries.count))
            for (index, entry) in keywords.entries.enumerated() {
                unsafe cshim_tuple_fill(names.handle, index, try entry.name.pythonValue().take())
                append(argument: entry.value)
            }
            keywordCount = keywords.entries.count
            unsafe keywordNames = unsafe names.take()
        } catch {
            failure = failure ?? error
        }
    }

    // MARK: - The call

    /// Calls, reads the result, and ends what was lent.
    @inlinable
    mutating func run<R: PythonResult>(returning type: R.Type) -> Result<R, PythonError> {
        let result: Result<R, PythonError>
        do throws(PythonError) {
            if let failure { throw failure }
            result = .success(try R.read(try invoke()))
        } catch {
            result = .failure(error)
        }
        hasEscapes = releaseArguments()
        return result
    }

    @usableFromInline
    mutating func invoke() throws(PythonError) -> PythonValue {
        unsafe try PythonValue(created: cshim_call(callable, arguments, count - keywordCount, keywordNames))
    }

    /// Gives the arguments up and ends what was lent. Returns whether Python kept a view; its exporter stays in its cell.
    @usableFromInline
    borrowing func releaseArguments() -> Bool {
        var hasEscapes = false
        for position in 0..<count {
            guard let argument = unsafe arguments[position] else { continue }
            unsafe arguments[position] = nil
            guard let exporter = unsafe exporters[position] else {
                unsafe cshim_release(argument)
                continue
            }
            if unsafe cshim_lend_end(exporter, argument) {
                unsafe exporters[position] = nil
            } else {
                hasEscapes = true
            }
        }
        return hasEscapes
    }

    /// Keeps alive what Python kept of `argument`, the one at `position`.
    @inlinable
    mutating func settle<A: PythonArgument & ~Copyable & ~Escapable>(_ argument: borrowing A, at position: Int) {
        if hasEscapes && keepEscaped(at: position, owner: argument.lendOwner) { escapedPositions |= 1 << position }
    }

    /// Ends an argument's lend, once all are settled: two may be of one array. The argument itself lives until here.
    @inlinable
    func end<A: PythonArgument & ~Copyable & ~Escapable>(_ argument: borrowing A, at position: Int) {
        argument.lendDidEnd(hasEscaped: escapedPositions & 1 << position != 0)
        extendLifetime(argument)
    }

    /// Returns whether Python kept a view of the argument at `position`.
    @usableFromInline
    mutating func keepEscaped(at position: Int, owner: (any Sendable)?) -> Bool {
        guard let exporter = unsafe exporters[position] else { return false }
        unsafe exporters[position] = nil
        let lease = PythonLease(owner: owner)
        unsafe cshim_lend_escaped(exporter, Unmanaged.passRetained(lease).toOpaque()) { lease in
            unsafe Unmanaged<PythonLease>.fromOpaque(lease).takeRetainedValue().end()
        }
        let name = unsafe parameterName(of: callable, at: position) ?? "argument \(position + 1)"
        escapedViews = (escapedViews ?? []) + [PythonEscape.View(argument: name, lease: lease)]
        return true
    }

    /// The result, unless Python raised or kept what it was lent.
    @inlinable
    consuming func finish<R>(_ result: Result<R, PythonError>) throws(PythonError) -> R {
        if hasEscapes { try throwEscape(result.failure) }
        return try result.get()
    }

    @usableFromInline
    func throwEscape(_ failure: PythonError?) throws(PythonError) {
        guard let escapedViews else { return }
        var exception: PythonException?
        if case .exception(let raised) = failure { exception = raised }
        throw .escape(PythonEscape(views: escapedViews, exception: exception))
    }
}

extension Result {
    @usableFromInline var failure: Failure? {
        if case .failure(let error) = self { return error }
        return nil
    }
}

/// The name of the parameter that takes a positional argument, if Python can tell it. Source: `inspect.signature`.
private func parameterName(of callable: OpaquePointer, at position: Int) -> String? {
    do throws(PythonError) {
        let callable = unsafe PythonObject(taking: cshim_retain(callable))
        let signature: PythonObject = try PythonObject(importing: "inspect").function("signature")(callable)
        let parameters: [PythonObject] = try signature.attribute("parameters").function("values")()
        let builtins = try PythonObject(importing: "builtins")
        for (index, parameter) in parameters.enumerated() {
            let kind: Int = try builtins.function("int")(parameter.attribute("kind"))
            let takesTheRest = kind == 2  // inspect.Parameter.VAR_POSITIONAL; keyword-only ones come behind it
            guard kind <= 2 else { return nil }
            guard index == position || takesTheRest else { continue }
            return try builtins.function("str")(parameter.attribute("name")) as String
        }
        return nil
    } catch {
        return nil
    }
}
