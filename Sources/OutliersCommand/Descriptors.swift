import Glibc
import Logging

/// How many files the process may have open.
enum Descriptors {
    /// What the program itself needs at most.
    private static let own = 64
    /// What a worker and the search that it does need at most.
    private static let perWorker = 12

    /// How many of the workers that are wanted can have the descriptors that they need, once the limit is as high as it may be set; 1 at
    /// least. Source: setrlimit(2).
    static func workers(_ wanted: Int) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return wanted }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let possible = max(1, (Int(clamping: limit.rlim_max) - own) / perWorker)
        if possible < wanted {
            log.debug("workers: \(possible), since no more than \(limit.rlim_max) files may be open")
        }
        return min(wanted, possible)
    }
}
