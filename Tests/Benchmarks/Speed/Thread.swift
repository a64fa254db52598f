import Glibc

/// A thread of the system.
struct Thread {
    private let thread: pthread_t

    init(_ body: @escaping () throws -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Box(body: body)).toOpaque()
        let failure = pthread_create(
            &thread, nil,
            { context in
                do {
                    try Unmanaged<Box>.fromOpaque(context!).takeRetainedValue().body()
                } catch {
                    fatalError("\(error)")
                }
                return nil
            }, context)
        precondition(failure == 0)
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }

    private final class Box {
        let body: () throws -> Void

        init(body: @escaping () throws -> Void) { self.body = body }
    }
}
