internal import Glibc

/// OS threads that take work from one queue, in its order, until the value that owns them goes.
@safe
package final class WorkerThreads: Sendable {
    /// What a thread does: a job of the Swift runtime, or a closure.
    package typealias Work = @Sendable () -> Void

    private let queue = WorkQueue()
    private let threads: [pthread_t]

    /// Starts `count` threads.
    ///
    /// - Throws: ``PythonError/interpreter(_:)`` when the system has no thread left.
    package init(count: Int) throws(PythonError) {
        var threads: [pthread_t] = []
        for _ in 0..<count {
            var thread = pthread_t()
            let queue = unsafe Unmanaged.passRetained(queue)
            let status = unsafe pthread_create(
                &thread, nil,
                { raw in
                    guard let raw = unsafe raw else { return nil }
                    let queue = unsafe Unmanaged<WorkQueue>.fromOpaque(raw).takeRetainedValue()
                    while let work = queue.next() { work() }
                    return nil
                }, queue.toOpaque())
            guard status == 0 else {
                unsafe queue.release()
                self.queue.end()
                throw .interpreter("there can be no further thread: \(PythonError.reason(status))")
            }
            pthread_detach(thread)
            threads.append(thread)
        }
        self.threads = threads
    }

    /// Whether the caller is one of them.
    var isCurrent: Bool { threads.contains { pthread_equal($0, pthread_self()) != 0 } }

    deinit { queue.end() }

    /// Appends work. It is done even if the threads are given up meanwhile.
    package func add(_ work: @escaping Work) { queue.add(work) }
}

/// A queue that threads wait at.
@safe
private final class WorkQueue: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Guarded by the mutex: the work from `first` on is still to be done.
    private var works: [WorkerThreads.Work?] = []
    private var first = 0
    private var hasEnded = false

    init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    func add(_ work: @escaping WorkerThreads.Work) {
        unsafe pthread_mutex_lock(mutex)
        works.append(work)
        unsafe pthread_cond_signal(changed)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// The next work, once there is some; nil when the queue has ended and is empty.
    func next() -> WorkerThreads.Work? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while first == works.count {
            if hasEnded { return nil }
            unsafe pthread_cond_wait(changed, mutex)
        }
        let work = works[first]
        works[first] = nil
        first += 1
        if first == works.count {
            works.removeAll(keepingCapacity: true)
            first = 0
        }
        return work
    }

    func end() {
        unsafe pthread_mutex_lock(mutex)
        hasEnded = true
        unsafe pthread_cond_broadcast(changed)
        unsafe pthread_mutex_unlock(mutex)
    }
}
