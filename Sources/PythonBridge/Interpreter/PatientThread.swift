internal import Glibc

/// A thread for who cannot wait for the GIL without a limit.
enum PatientThread {
    /// Runs `body` attached on a thread of its own and waits for it; but no longer than `limit` for the GIL. Returns whether that
    /// was enough.
    static func run(upToAttach limit: Duration, _ body: @escaping @Sendable () -> Void) -> Bool {
        let steps = Steps(body)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { steps in
                guard let steps = unsafe steps else { return nil }
                unsafe Unmanaged<Steps>.fromOpaque(steps).takeRetainedValue().take()
                return nil
            }, Unmanaged.passRetained(steps).toOpaque())
        guard status == 0 else {
            unsafe Unmanaged.passUnretained(steps).release()
            return false
        }
        pthread_detach(thread)
        return steps.wait(limit)
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
            extendLifetime(attachment)
            unsafe sem_post(hasEnded)
        }

        func wait(_ limit: Duration) -> Bool {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            let nanoseconds = time.tv_nsec + Int(limit.components.attoseconds / 1_000_000_000)
            time.tv_sec += Int(limit.components.seconds) + nanoseconds / 1_000_000_000
            time.tv_nsec = nanoseconds % 1_000_000_000
            while unsafe sem_timedwait(hasAttached, &time) != 0 {
                guard errno == EINTR else { return false }
            }
            while unsafe sem_wait(hasEnded) != 0 {}
            return true
        }
    }
}
