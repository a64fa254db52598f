internal import CShim
internal import Synchronization

/// This OS thread's hold on the GIL: taken by `init`, undone by `deinit`.
///
/// Attaching inside an attachment is cheap and correct. Source: `PyGILState_Ensure`, `PyEval_RestoreThread`.
@usableFromInline
struct Attachment: ~Copyable {
    private let attachment: cshim_attachment

    /// - Throws: ``PythonError/notRunning``.
    @usableFromInline
    init() throws(PythonError) {
        attachment = cshim_attach()
        guard attachment != .CSHIM_NOT_RUNNING else { throw .notRunning }
        PendingReleases.drain()
    }

    /// To the interpreter of that number, if it is the one that runs.
    ///
    /// - Throws: ``PythonError/notRunning``.
    @usableFromInline
    init(to interpreter: UInt32) throws(PythonError) {
        attachment = cshim_attach_to(interpreter)
        guard attachment != .CSHIM_NOT_RUNNING else { throw .notRunning }
        PendingReleases.drain()
    }

    /// Also while a stop waits for other threads, which this one is to interrupt.
    ///
    /// - Throws: ``PythonError/notRunning``.
    init(interrupting: Void) throws(PythonError) {
        attachment = cshim_attach_late()
        guard attachment != .CSHIM_NOT_RUNNING else { throw .notRunning }
    }

    @usableFromInline
    deinit {
        cshim_detach(attachment)
    }
}

/// What was given up on a thread that was not attached. The next thread to attach releases it.
enum PendingReleases {
    @safe
    private struct Release: @unchecked Sendable {
        @safe enum Kind {
            case object(OpaquePointer), view(UnsafeMutableRawPointer), keptView(UnsafeMutablePointer<cshim_kept_view>)
        }
        let kind: Kind
        /// Nil where it does not matter.
        let interpreter: UInt32?

        func isOf(_ running: UInt32) -> Bool { interpreter.map { $0 == running } ?? true }

        /// The thread is attached, to the interpreter if it matters.
        func perform() {
            switch kind {
            case .object(let handle): unsafe cshim_release(handle)
            case .view(let view): unsafe cshim_view_release(view)
            case .keptView(let view): unsafe cshim_kept_view_free(view)
            }
        }
    }

    private static let queue = Lock<[Release]>([])
    private static let isEmpty = Atomic(true)

    /// Whether there is something to do for whoever attaches next.
    static var isDue: Bool { !isEmpty.load(ordering: .acquiring) }

    /// Gives up one reference, now if this thread is attached. A reference into an interpreter that has ended is inert.
    static func release(_ handle: OpaquePointer, of interpreter: UInt32) {
        unsafe release(Release(kind: .object(handle), interpreter: interpreter))
    }

    /// Gives up a view, likewise.
    static func release(view: UnsafeMutableRawPointer, of interpreter: UInt32) {
        unsafe release(Release(kind: .view(view), interpreter: interpreter))
    }

    /// Gives up a view that was kept for the calls of memory that is gone.
    static func release(keptView view: UnsafeMutablePointer<cshim_kept_view>) {
        unsafe release(Release(kind: .keptView(view), interpreter: nil))
    }

    private static func release(_ release: Release) {
        guard release.isOf(cshim_running()) else { return }
        if cshim_is_attached() {
            release.perform()
        } else {
            queue.withLock { $0.append(release) }
            isEmpty.store(false, ordering: .releasing)
        }
    }

    /// Does what is queued. The thread is attached.
    @inline(__always)
    static func drain() {
        if isDue { drainNow() }
    }

    @inline(never)
    private static func drainNow() {
        isEmpty.store(true, ordering: .releasing)
        let releases = queue.withLock { queue in
            defer { queue.removeAll() }
            return queue
        }
        let running = cshim_running()
        for release in releases where release.isOf(running) { release.perform() }
    }
}
