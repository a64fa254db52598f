internal import Glibc

/// A value that one thread at a time can use.
///
/// Not `Synchronization.Mutex`: that knows its owner by a thread's number, which fork(2) changes, so that it ends the child of a fork
/// by Python; and ThreadSanitizer does not see what it guards. Source: pthread_mutex_lock(3).
@safe
package struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    package init(_ value: consuming sending Value) {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe self.value.initialize(to: value)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the value, once no other thread uses it.
    package borrowing func withLock<R: ~Copyable, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }

    /// Calls `body` with the value unless another thread uses it; then this is nil.
    package borrowing func withLockIfAvailable<R, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R? {
        guard unsafe pthread_mutex_trylock(mutex) == 0 else { return nil }
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }
}
