internal import CShim

/// A function of Swift that Python can call: what the bridge's own callables are made of.
struct HostFunction: PythonConvertible, Sendable {
    /// Called attached. What it throws is raised in Python.
    typealias Body = @Sendable (inout ArgumentReader) throws -> PythonValue

    private let context: Context

    private final class Context: Sendable {
        let arity: Int
        let body: Body

        init(arity: Int, _ body: @escaping Body) {
            self.arity = arity
            self.body = body
        }
    }

    /// A function of so many arguments.
    init(arity: Int, _ body: @escaping Body) { context = Context(arity: arity, body) }

    /// A new Python function, which holds the closure.
    @unsafe func pythonValue() throws(PythonError) -> PythonValue {
        let function = unsafe cshim_function(
            Unmanaged.passRetained(context).toOpaque(),
            { context, arguments, count in
                let context = unsafe Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
                var reader = unsafe ArgumentReader(UnsafeBufferPointer(start: arguments, count: count))
                do {
                    try reader.expect(context.arity)
                    return unsafe try context.body(&reader).take()
                } catch {
                    ThrownError(error).raise()
                }
                return nil
            },
            { context in unsafe Unmanaged<Context>.fromOpaque(context).release() })
        return unsafe try PythonValue(created: function)
    }
}

/// Reads the arguments of a call one after the other. The thread is attached.
@safe
struct ArgumentReader: ~Copyable {
    private let arguments: UnsafeBufferPointer<OpaquePointer>
    private var position = 0

    init(_ arguments: UnsafeBufferPointer<OpaquePointer>) { unsafe self.arguments = arguments }

    /// - Throws: ``PythonError/conversion(expected:found:)`` when there are more or fewer.
    func expect(_ arity: Int) throws(PythonError) {
        guard unsafe arguments.count == arity else {
            throw unsafe .conversion(
                expected: arity == 1 ? "one argument" : "\(arity) arguments", found: "\(arguments.count)")
        }
    }

    /// - Throws: ``PythonError/conversion(expected:found:)`` when it is something else.
    mutating func next<Argument: PythonResult>(as type: Argument.Type) throws(PythonError) -> Argument {
        do throws(PythonError) {
            return try Argument.read(next())
        } catch {
            guard case .conversion(let expected, let found) = error else { throw error }
            throw .conversion(expected: "\(expected) as argument \(position)", found: found)
        }
    }

    /// - Precondition: There is one left.
    mutating func next() -> PythonValue {
        defer { position += 1 }
        return unsafe PythonValue(taking: cshim_retain(arguments[position]))
    }
}

/// A Swift error on its way through Python.
final class ThrownError: Sendable {
    let error: any Error

    init(_ error: any Error) { self.error = error }

    /// Raises an exception: the one that the closure met in Python and did not handle, one that says what was wrong with an argument,
    /// or `PythonBridge.SwiftError`, which holds this until Python drops it. The thread is attached.
    func raise() {
        var type = "SwiftError"
        switch error as? PythonError {
        case .exception(let exception): if cshim_raise_again(exception.number) { return }
        case .cancelled: return cshim_raise_interruption(.CSHIM_CANCELLED)
        case .deadlineExceeded: return cshim_raise_interruption(.CSHIM_DEADLINE_EXCEEDED)
        case .outOfMemory: type = "MemoryError"
        case .invalidBuffer: type = "ValueError"
        case .conversion: type = "TypeError"
        default: break
        }
        unsafe cshim_raise(type, String(describing: error), Unmanaged.passRetained(self).toOpaque()) {
            unsafe Unmanaged<ThrownError>.fromOpaque($0).release()
        }
    }
}
