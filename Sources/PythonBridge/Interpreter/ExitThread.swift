internal import Glibc

/// A thread for what the end of the process owes to Python.
enum ExitThread {
    /// Runs `body` attached on a thread of its own and waits for it; but no longer than `limit` for the GIL.
    static func run(upToAttach limit: Duration, _ body: @escaping @Sendable () -> Void) {
        let steps = Steps(body)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { steps in
                guard let steps = unsafe steps else { return nil }
                unsafe Unmanaged<Steps>.fromOpaque(steps).takeRetainedValue().take()
                return nil
            }, Unmanaged.passRetained(steps).toOpaque())
        guard status == 0 else { return unsafe Unmanaged.passUnretained(steps).release() }
        pthread_detach(thread)
        steps.wait(limit)
    }

    /// What the two threads tell each other.
    @safe
    private final class Steps: @unchecked Sendable {
        private let body: @Sendable () -> Void
        private let hasAttached = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        private let hasEnded = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
            unsafe sem_init(hasAttached, 0, 0)
            unsafe sem_init(hasEnded, 0, 0)
        }

        deinit {
            unsafe sem_destroy(hasAttached)
            unsafe sem_destroy(hasEnded)
            unsafe hasAttached.deallocate()
            unsafe hasEnded.deallocate()
        }

        func take() {
            let attachment = try? Attachment()
            unsafe sem_post(hasAttached)
            if attachment != nil { body() }
            unsafe sem_post(hasEnded)
        }

        func wait(_ limit: Duration) {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            time.tv_sec += Int(limit.components.seconds)
            while unsafe sem_timedwait(hasAttached, &time) != 0 {
                guard errno == EINTR else { return }
            }
            while unsafe sem_wait(hasEnded) != 0 {}
        }
    }
}
