internal import Glibc

/// A value that one thread at a time can use, and whose changes others wait for. Source: pthread_cond_timedwait(3).
@safe
package final class Monitor<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: Value) {
        self.value = value
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the value.
    package func withLock<R, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Calls `body` with the value, and wakes whoever waits.
    package func change<R, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        try withLock { value throws(E) in
            defer { unsafe pthread_cond_broadcast(changed) }
            return try body(&value)
        }
    }

    /// Calls `body` with the value, again after each change until it returns something; nil when the deadline has passed.
    package func wait<R, E>(
        until deadline: Deadline = .never, _ body: (inout Value) throws(E) -> R?
    ) throws(E) -> R? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            // An access of its own each time: others change the value during the wait.
            if let result = try body(&value) { return result }
            if deadline.hasPassed { return nil }
            sleep(until: deadline)
        }
    }

    /// Lets go of the mutex until there is a change, or the deadline has passed.
    private func sleep(until deadline: Deadline) {
        guard let remaining = deadline.remaining else {
            unsafe pthread_cond_wait(changed, mutex)
            return
        }
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let (seconds, attoseconds) = min(remaining, .seconds(86_400)).components
        let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
        var end = timespec(
            tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
        unsafe pthread_cond_timedwait(changed, mutex, &end)
    }
}
