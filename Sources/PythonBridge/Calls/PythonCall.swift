internal import CShim
internal import Glibc

/// One call while it is put together: this thread's attachment, the arguments so far, and what is lent.
///
/// A ``PythonArgument`` appends itself to it. The argument vector is on a stack of its own that each thread has, so
/// that a call allocates nothing in Swift.
@safe
public struct PythonCall: ~Copyable {
    /// Borrowed from the function, which outlives its call.
    @usableFromInline let callable: OpaquePointer
    /// The shim's: first a cell for the callee's own use (`PY_VECTORCALL_ARGUMENTS_OFFSET`), then `capacity` owned references to the
    /// arguments, then as many to the exporters of those that are lent. The first `count` are set.
    @usableFromInline let frame: UnsafeMutablePointer<OpaquePointer?>
    @usableFromInline let capacity: Int
    @usableFromInline var count = 0
    @usableFromInline var keywordCount = 0
    /// Owned: a tuple of the names of the last arguments.
    @usableFromInline var keywordNames: OpaquePointer?
    /// A bit for each positional argument of which Python kept a view.
    @usableFromInline var escapedPositions = 0
    /// Whether a view that was lent is still there after the call.
    @usableFromInline var hasEscapes = false
    /// What went wrong, if anything. Owned; not a reference that Swift counts, for each call would pay for that.
    @usableFromInline var troubleReference: Unmanaged<Trouble>?

    @usableFromInline
    final class Trouble {
        /// Why an argument could not be passed, or the call gave no result.
        var failure: PythonError?
        var escapedViews: [PythonEscape.View] = []

        init() {}

        /// What the call throws.
        var error: PythonError? {
            guard !escapedViews.isEmpty else { return failure }
            var exception: PythonException?
            if case .exception(let raised) = failure { exception = raised }
            return .escape(PythonEscape(views: escapedViews, exception: exception))
        }
    }

    /// What went wrong; made when it is asked for.
    private var trouble: Trouble {
        mutating get {
            if let reference = unsafe troubleReference { return unsafe reference.takeUnretainedValue() }
            let trouble = Trouble()
            unsafe troubleReference = unsafe Unmanaged.passRetained(trouble)
            return trouble
        }
    }

    /// Attaches this thread.
    ///
    /// - Throws: ``PythonError/notRunning``.
    @inlinable
    init(_ function: borrowing PythonFunction, capacity: Int) throws(PythonError) {
        unsafe frame = try Self.begin(function.object.interpreter, capacity)
        unsafe callable = unsafe function.object.handle
        self.capacity = capacity
    }

    @usableFromInline
    static func begin(
        _ interpreter: UInt32, _ capacity: Int
    ) throws(PythonError) -> UnsafeMutablePointer<OpaquePointer?> {
        guard let frame = unsafe cshim_frame_begin(interpreter, capacity) else {
            throw errno == ENOMEM ? .outOfMemory(byteCount: 16 * capacity) : .notRunning
        }
        PendingReleases.drain()
        return unsafe frame
    }

    @inlinable
    deinit {
        if let keywordNames = unsafe keywordNames { unsafe Self.release(keywordNames) }
        if let trouble = unsafe troubleReference { unsafe trouble.release() }
        unsafe Self.end(frame)
    }

    @usableFromInline
    static func release(_ object: OpaquePointer) { unsafe cshim_release(object) }

    @usableFromInline
    static func end(_ frame: UnsafeMutablePointer<OpaquePointer?>) { unsafe cshim_frame_end(frame) }

    @inlinable var arguments: UnsafeMutablePointer<OpaquePointer?> { unsafe frame + 1 }
    @inlinable var exporters: UnsafeMutablePointer<OpaquePointer?> { unsafe frame + 1 + capacity }

    /// Notes why an argument could not be passed, or the call gave no result; the first reason counts.
    @usableFromInline
    mutating func fail(_ error: PythonError) {
        if trouble.failure == nil { trouble.failure = error }
    }

    // MARK: - Arguments

    /// Has an argument append itself. It lives until ``settle(_:at:)``.
    ///
    /// Once one has failed, the rest leave their cells empty and the call does not come to pass; what was lent before is ended and
    /// settled all the same, for Python code that ran meanwhile may have seen it.
    @inlinable
    mutating func append<A: PythonArgument & ~Copyable & ~Escapable>(argument: borrowing A) {
        let position = count
        if unsafe troubleReference == nil {
            do throws(PythonError) {
                try unsafe argument.pass(to: &self)
                precondition(count == position + 1, "a PythonArgument must append exactly one object")
                return
            } catch {
                fail(error)
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
    @inlinable
    public mutating func append(_ value: consuming PythonValue) {
        unsafe append(value.take(), exporter: nil)
    }

    /// Appends a view of memory that is lent until the call is over: `count` elements of `itemSize` bytes.
    @usableFromInline
    mutating func appendLent(
        base: UnsafeMutableRawPointer, count: Int, itemSize: Int, format: UnsafePointer<CChar>, isReadOnly: Bool
    ) throws(PythonError) {
        let lent = unsafe cshim_lend(base, count, itemSize, format, isReadOnly)
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

    @inlinable
    mutating func append(_ argument: OpaquePointer, exporter: OpaquePointer?) {
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
                append(try unsafe entry.value.pythonValue())
            }
            keywordCount = keywords.entries.count
            unsafe keywordNames = unsafe names.take()
        } catch {
            fail(error)
        }
    }

    // MARK: - The call

    /// Calls, reads the result, and ends what was lent. Nil when something went wrong, which ``finish(_:)`` throws.
    @inlinable @inline(__always)
    mutating func run<R: PythonResult>(returning type: R.Type) -> R? {
        var result: R?
        if unsafe troubleReference == nil {
            do throws(PythonError) {
                let value = unsafe try PythonValue(
                    created: Self.invoke(callable, arguments, count - keywordCount, keywordNames))
                result = try value.read() as R
            } catch {
                fail(error)
            }
        }
        hasEscapes = unsafe Self.releaseArguments(frame, capacity, count)
        return result
    }

    // What is not inlined takes what it needs, for Swift would copy the call to pass it.

    @usableFromInline
    static func invoke(
        _ callable: OpaquePointer, _ arguments: UnsafeMutablePointer<OpaquePointer?>, _ count: Int,
        _ keywordNames: OpaquePointer?
    ) -> OpaquePointer? {
        unsafe cshim_call(callable, arguments, count, keywordNames)
    }

    /// Gives the arguments up and ends what was lent. Returns whether Python kept a view; its exporter stays in its cell.
    @usableFromInline
    static func releaseArguments(_ frame: UnsafeMutablePointer<OpaquePointer?>, _ capacity: Int, _ count: Int) -> Bool {
        unsafe cshim_frame_release(frame, capacity, count)
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
        trouble.escapedViews.append(PythonEscape.View(argument: name, lease: lease))
        return true
    }

    /// The result, unless Python raised or kept what it was lent.
    @inlinable @inline(__always)
    consuming func finish<R>(_ result: consuming R?) throws(PythonError) -> R {
        guard unsafe troubleReference == nil, let result else { throw unsafe Self.error(in: troubleReference) }
        return result
    }

    @usableFromInline
    static func error(in trouble: Unmanaged<Trouble>?) -> PythonError {
        guard let error = unsafe trouble?.takeUnretainedValue().error else {
            preconditionFailure("a call without a result has failed")
        }
        return error
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
            return try parameter.attribute("name").read()
        }
        return nil
    } catch {
        return nil
    }
}
