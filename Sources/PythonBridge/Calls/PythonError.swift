internal import CShim
internal import Glibc

/// What can go wrong between Swift and Python. Every function of this module that throws, throws this.
public indirect enum PythonError: Error, Sendable {
    /// Python raised. The exception has been cleared, and the next call works.
    case exception(PythonException)
    /// Python kept a view of memory that was lent to it for the length of one call.
    case escape(PythonEscape)
    /// A result is not what Swift asked for: `expected` is the Swift type, `found` what Python returned.
    case conversion(expected: String, found: String)
    /// The name is there but cannot be called; `type` is its Python type.
    case notCallable(name: String, type: String)
    /// The environment cannot be used, or is one of another Python.
    case environment(String)
    /// CPython did not start, or must not be started or stopped as asked.
    case interpreter(String)
    /// There is no interpreter: none was started, it was stopped, or the object belongs to one that was.
    case notRunning
    /// The task was cancelled: the call was not begun, or Python code was interrupted.
    case cancelled
    /// The time that the call had is over: it was not begun, or Python code was interrupted.
    case deadlineExceeded
    /// The description of a buffer or a view makes no sense.
    case invalidBuffer(String)
    /// The memory is not to be had.
    case outOfMemory(byteCount: Int)
    /// A file cannot be opened or mapped; `errno` is the system's reason.
    case file(path: String, errno: Int32)
}

/// One raised Python exception, as a value: nothing of it is left in Python.
///
/// Source: `PyErr_GetRaisedException`, `traceback.format_exception`.
public struct PythonException: Error, Sendable {
    /// The class, with its module unless that is `builtins`: `ValueError`, `json.decoder.JSONDecodeError`.
    public let type: String
    /// `str(exception)`.
    public let message: String
    /// The traceback as Python prints it: with the causes for the exception that was raised, without for each of those.
    public let traceback: String
    /// The exceptions that led to this one, the nearest first: `__cause__`, else `__context__` unless it is suppressed.
    public let causes: [PythonException]
    /// What a ``PythonCallback`` threw, if the exception is that; the same value.
    public let swiftError: (any Error)?
    /// By which the shim knows it as long as the callback runs in which it was taken; otherwise 0.
    package let number: UInt64

    /// An exception of another process.
    package init(
        type: String, message: String, traceback: String, causes: [PythonException], swiftError: (any Error)?,
        number: UInt64
    ) {
        self.type = type
        self.message = message
        self.traceback = traceback
        self.causes = causes
        self.swiftError = swiftError
        self.number = number
    }
}

/// Lent arguments of which Python still had a view when the call was over.
///
/// Nothing dangles: memory that Swift owns by reference count (an array's) stays alive until Python lets go of it. Raw memory
/// (`.lending(pointer)`) is its owner's affair, who must keep it until the view's
/// ``View/lease`` has ended.
public struct PythonEscape: Sendable {
    /// One argument that Python kept.
    public struct View: Sendable {
        /// The parameter's name where the callable tells it, otherwise "argument" and its position counted from 1.
        public let argument: String
        /// Tells when Python has let go.
        public let lease: PythonLease

        package init(argument: String, lease: PythonLease) {
            self.argument = argument
            self.lease = lease
        }
    }

    /// The arguments that Python kept, in their order.
    public let views: [View]
    /// What the call raised besides, if anything.
    public let exception: PythonException?

    package init(views: [View], exception: PythonException?) {
        self.views = views
        self.exception = exception
    }
}

extension PythonError: CustomStringConvertible {
    /// One line that says what is wrong.
    public var description: String {
        switch self {
        case .exception(let exception): exception.description
        case .escape(let escape):
            escape.description
        case .conversion(let expected, let found): "expected \(expected) from Python, got \(found)"
        case .notCallable(let name, let type): "'\(name)' is not callable: it is of type \(type)"
        case .environment(let reason), .interpreter(let reason), .invalidBuffer(let reason): reason
        case .notRunning: "Python is not running"
        case .cancelled: "the call was cancelled"
        case .deadlineExceeded: "the call took longer than it had time"
        case .outOfMemory(let byteCount): "no memory for \(byteCount) bytes"
        case .file(let path, let errno): "'\(path)': \(Self.reason(errno))"
        }
    }

    package static func reason(_ errno: Int32) -> String {
        unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    }
}

extension PythonEscape: CustomStringConvertible {
    /// What was kept, what to do about it, and what Python raised besides.
    public var description: String {
        let names = views.map(\.argument).joined(separator: ", ")
        let raised = exception.map { ", and raised \($0)" } ?? ""
        return "Python kept a view of \(names), lent for one call: share a SharedBuffer, or keep a copy\(raised)"
    }
}

extension PythonException: CustomStringConvertible {
    /// The type and the message, as the last line of a traceback.
    public var description: String { message.isEmpty ? type : "\(type): \(message)" }
}

extension PythonException {
    /// Takes the exception that is raised on this attached thread, and clears it.
    static func take() -> PythonException {
        let first = unsafe cshim_exception_take()
        defer { unsafe cshim_exception_free(first) }
        var links: [PythonException] = []
        var link = unsafe first
        while let current = unsafe link {
            unsafe links.append(PythonException(current.pointee))
            unsafe link = current.pointee.cause
        }
        guard let raised = links.first else {
            return PythonException(
                type: "SystemError", message: "a C function failed without an exception", traceback: "", causes: [],
                swiftError: nil, number: 0)
        }
        return PythonException(
            type: raised.type, message: raised.message, traceback: raised.traceback, causes: Array(links.dropFirst()),
            swiftError: raised.swiftError, number: raised.number)
    }

    private init(_ link: cshim_exception) {
        type = unsafe String(link.type) ?? "Exception"
        message = unsafe String(link.message) ?? ""
        traceback = unsafe String(link.traceback) ?? ""
        causes = []
        number = unsafe link.number
        swiftError = unsafe link.host_error.map {
            unsafe Unmanaged<ThrownError>.fromOpaque($0).takeUnretainedValue().error
        }
    }
}

extension PythonError {
    /// The raised exception as an error.
    @usableFromInline
    static func raised() -> PythonError {
        let exception = PythonException.take()
        switch exception.type {
        case "PythonBridge.Cancelled": return .cancelled
        case "PythonBridge.DeadlineExceeded": return .deadlineExceeded
        default: return .exception(exception)
        }
    }
}

extension String {
    /// A copy of the shim's text; nil when there is none.
    fileprivate init?(_ text: cshim_text) {
        guard let utf8 = unsafe text.utf8 else { return nil }
        unsafe self.init(decoding: UnsafeRawBufferPointer(start: utf8, count: text.length), as: UTF8.self)
    }
}
