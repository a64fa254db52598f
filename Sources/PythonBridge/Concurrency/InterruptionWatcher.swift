internal import Glibc

/// The one thread that raises interruptions when they are due.
///
/// To raise one it has to take the GIL, which neither a task that is cancelled nor a clock should wait for.
@safe
final class InterruptionWatcher: @unchecked Sendable {
    static let shared = InterruptionWatcher()

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Guarded by the mutex: what is due when, the latest first.
    private var schedule: [(instant: ContinuousClock.Instant, interruption: Interruption)] = []
    /// Guarded by the mutex: when the thread wakes up by itself; nil while it does not.
    private var alarm: ContinuousClock.Instant?
    /// Guarded by the mutex: the process that the thread is in. The child of a fork by Python has none.
    private var process: pid_t = 0

    private init() {
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    /// Has an interruption raised at an instant, and again later as long as its scope is open.
    func raise(_ interruption: Interruption, at instant: ContinuousClock.Instant) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if process != getpid() { startThread() }
        let position = schedule.firstIndex { $0.instant <= instant } ?? schedule.endIndex
        schedule.insert((instant, interruption), at: position)
        // Most deadlines are forgotten before they come: then nobody is woken for them.
        if alarm.map({ instant < $0 }) ?? true { unsafe pthread_cond_signal(changed) }
    }

    /// Takes an interruption whose scope has closed off the schedule.
    func forget(_ interruption: Interruption) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        schedule.removeAll { $0.interruption === interruption }
    }

    private func startThread() {
        if process != 0 {  // what is scheduled is of the process that forked this one
            schedule = []
            alarm = nil
        }
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { _ in
                InterruptionWatcher.shared.watch()
                return nil
            }, nil)
        guard status == 0 else { return }  // the next one tries again
        pthread_detach(thread)
        process = getpid()
    }

    private func watch() {
        while true {
            let interruption = next()
            let isOpen: Bool
            do throws(PythonError) {
                let attachment = try Attachment(interrupting: ())
                isOpen = interruption.raise()
                extendLifetime(attachment)
            } catch {
                // A stop that looks whether a call is left keeps the watcher out for a moment.
                isOpen = interruption.isOpen
            }
            if isOpen { raise(interruption, at: .now + Interruption.pause) }
        }
    }

    /// The next interruption, once it is due.
    private func next() -> Interruption {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            alarm = schedule.last?.instant
            guard let first = schedule.last else {
                unsafe pthread_cond_wait(changed, mutex)
                continue
            }
            let delay = min(first.instant - .now, .seconds(86_400))
            if delay <= .zero {
                schedule.removeLast()
                return first.interruption
            }
            var time = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &time)
            let nanoseconds = time.tv_nsec + Int(delay.components.attoseconds / 1_000_000_000)
            time.tv_sec += Int(delay.components.seconds) + nanoseconds / 1_000_000_000
            time.tv_nsec = nanoseconds % 1_000_000_000
            unsafe pthread_cond_timedwait(changed, mutex, &time)
        }
    }
}
