internal import Glibc

/// Steps of work on several threads, each of which leaves an outcome; the outcomes are taken in the order of the steps, by one thread at
/// a time.
///
/// There are two outcomes for each thread, which are used again, so that memory does not grow with the steps.
@safe
final class OrderedWork<Outcome: ~Copyable, Failure: Error>: @unchecked Sendable {
    private let steps: Int
    private let threads: Int
    private let work: (_ step: Int, _ outcome: inout Outcome) -> Void
    private let take: (_ outcome: inout Outcome) throws(Failure) -> Void

    private let outcomes: UnsafeMutableBufferPointer<Outcome>
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// From here on all is guarded by the mutex. Whether the outcome at a place waits to be taken.
    private var isDone: [Bool]
    private var begun = 0
    private var taken = 0
    private var isTaking = false
    private var failure: Failure?
    private var isStopped = false

    /// - Parameters:
    ///   - steps: How many steps there are.
    ///   - threads: How many threads work, the caller's among them. There are fewer if the system has no further one.
    ///   - outcome: Makes memory for an outcome.
    ///   - work: Does a step, on any thread.
    ///   - take: Takes its outcome, on any thread. What it throws ends the work.
    init(
        steps: Int, threads: Int, outcome: () -> Outcome, work: @escaping (Int, inout Outcome) -> Void,
        take: @escaping (inout Outcome) throws(Failure) -> Void
    ) {
        self.steps = steps
        self.threads = threads
        self.work = work
        self.take = take
        unsafe outcomes = .allocate(capacity: 2 * threads)
        for place in unsafe outcomes.indices { unsafe outcomes.initializeElement(at: place, to: outcome()) }
        isDone = Array(repeating: false, count: 2 * threads)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
        unsafe outcomes.deinitialize()
        unsafe outcomes.deallocate()
    }

    /// Does all of it. All threads have ended when this returns.
    ///
    /// - Parameter taken: Is told on the caller's thread, from time to time, how many outcomes have been taken. What it throws ends the work.
    /// - Throws: What `take` or `taken` throws.
    func run(_ taken: (_ steps: Int) throws(Failure) -> Void) throws(Failure) {
        let others = (1..<threads).compactMap { _ in
            SystemThread { [self] in while let step = begin() { finish(step) } }
        }
        defer {
            stop()
            for thread in others { thread.join() }
        }
        while let step = begin() {
            finish(step)
            try taken(takenSteps)
        }
        guard let failure = waitForAll() else { return try taken(steps) }
        throw failure
    }

    private func locked<R>(_ body: () -> R) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    private var takenSteps: Int { locked { taken } }

    private func stop() {
        locked {
            isStopped = true
            unsafe pthread_cond_broadcast(changed)
        }
    }

    /// The next step that nobody has begun, once there is room for its outcome; nil where there is none, or the work has ended.
    private func begin() -> Int? {
        locked {
            while !isStopped, begun < steps, begun - taken >= isDone.count { unsafe pthread_cond_wait(changed, mutex) }
            guard !isStopped, begun < steps else { return nil }
            defer { begun += 1 }
            return begun
        }
    }

    /// Does a step, and takes the outcomes whose turn it is unless another thread is about it.
    private func finish(_ step: Int) {
        unsafe work(step, &outcomes[step % outcomes.count])
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        isDone[step % isDone.count] = true
        guard !isTaking else { return }
        isTaking = true
        while !isStopped, isDone[taken % isDone.count] {
            let next = taken
            unsafe pthread_mutex_unlock(mutex)
            let thrown = outcome(of: next)
            unsafe pthread_mutex_lock(mutex)
            isDone[next % isDone.count] = false
            taken += 1
            if let thrown {
                failure = thrown
                isStopped = true
            }
            unsafe pthread_cond_broadcast(changed)
        }
        isTaking = false
    }

    /// Takes an outcome.
    ///
    /// - Returns: What that threw.
    private func outcome(of step: Int) -> Failure? {
        do throws(Failure) {
            unsafe try take(&outcomes[step % outcomes.count])
            return nil
        } catch {
            return error
        }
    }

    /// - Returns: What ended the work, if it did not get to its end.
    private func waitForAll() -> Failure? {
        locked {
            while failure == nil, taken < steps { unsafe pthread_cond_wait(changed, mutex) }
            return failure
        }
    }
}

/// A thread of the system that does one thing.
private struct SystemThread {
    private let thread: pthread_t

    /// - Returns: nil when the system has no thread left.
    init?(_ body: @escaping @Sendable () -> Void) {
        let body = unsafe Unmanaged.passRetained(Body(run: body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard status == 0 else {
            unsafe body.release()
            return nil
        }
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
