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

    @usableFromInline
    deinit {
        cshim_detach(attachment)
    }
}

/// References that were given up on a thread that was not attached. The next thread to attach releases them.
enum PendingReleases {
    @safe
    private struct Release: @unchecked Sendable {
        let handle: OpaquePointer
        let interpreter: UInt32
    }

    private static let queue = Mutex<[Release]>([])
    private static let isEmpty = Atomic(true)

    /// Gives up one reference, now if this thread is attached. A reference into an interpreter that has ended is inert.
    static func release(_ handle: OpaquePointer, of interpreter: UInt32) {
        guard cshim_running() == interpreter else { return }
        if cshim_is_attached() {
            unsafe cshim_release(handle)
        } else {
            queue.withLock { unsafe $0.append(Release(handle: handle, interpreter: interpreter)) }
            isEmpty.store(false, ordering: .releasing)
        }
    }

    /// Does what is queued. The thread is attached.
    static func drain() {
        guard !isEmpty.load(ordering: .acquiring) else { return }
        isEmpty.store(true, ordering: .releasing)
        let releases = queue.withLock { queue in
            defer { queue.removeAll() }
            return queue
        }
        let running = cshim_running()
        for release in releases where release.interpreter == running {
            unsafe cshim_release(release.handle)
        }
    }
}
