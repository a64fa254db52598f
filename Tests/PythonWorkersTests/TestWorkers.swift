import PythonBridge
import PythonWorkers

/// Where the packages and the fixtures are.
enum Checkout {
    static let directory: String = {
        let file = #filePath
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()
}

extension WorkerConfiguration {
    /// Workers that find `pyoutliers` and the fixtures.
    static func test(count: Int = 1) -> WorkerConfiguration {
        WorkerConfiguration(
            count: count, searchPaths: [Checkout.directory, Checkout.directory + "/Tests/Fixtures"],
            timeout: .seconds(60))
    }
}

/// The error that a closure throws, if it throws one.
func failure(_ body: () throws(WorkerError) -> Void) -> WorkerError? {
    do throws(WorkerError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// The error that a closure throws, if it throws one.
func failure(_ body: () async throws(WorkerError) -> Void) async -> WorkerError? {
    do throws(WorkerError) {
        try await body()
        return nil
    } catch {
        return error
    }
}
