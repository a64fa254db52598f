import Glibc
import Outliers
import PythonBridge
import PythonWorkers

/// Reads what the processes hold: this one, and the worker where there is one.
struct SoakProbe {
    /// Python's blocks in this process, and its garbage collector.
    private let python: (blocks: PythonFunction, collect: PythonFunction)?
    /// The pool, and in its worker ``allocated`` and ``trim`` of `pyoutliers._memory`.
    private let worker: (pool: PythonWorkers, allocated: BlockingWorkerFunction, trim: BlockingWorkerFunction)?

    /// - Parameters:
    ///   - python: This process's, if the call uses it.
    ///   - pool: Of one worker, if the call uses one.
    init(python: PythonInterpreter?, pool: PythonWorkers?) throws(PythonError) {
        if let python {
            self.python = (
                try python.function("getallocatedblocks", in: "sys"), try python.function("collect", in: "gc")
            )
        } else {
            self.python = nil
        }
        worker = pool.map { pool in
            (
                pool, pool.function("allocated", in: "pyoutliers._memory").blocking,
                pool.function("trim", in: "pyoutliers._memory").blocking
            )
        }
    }

    /// - Throws: ``Failure``, such as where the kernel does not tell.
    func read(calls: Int, seconds: Double) throws(Failure) -> SoakReading {
        let (ofWorker, blocks): ([Int]?, Int?) = try asking {
            (try worker.map { worker in try worker.allocated() }, try python.map { python in try python.blocks() })
        }
        return SoakReading(
            calls: calls, seconds: seconds, resident: try resident(), heap: Heap.allocatedBytes + (ofWorker?[1] ?? 0),
            pythonBlocks: ofWorker?[0] ?? blocks, exporters: MemoryLedger.total.exportersAlive,
            descriptors: (["self"] + others).reduce(0) { $0 + Self.entries(of: "/proc/\($1)/fd") })
    }

    /// Gives the garbage of Python, and what is free of the heap, back to the system.
    func trim() throws(Failure) {
        try asking {
            try worker?.trim()
            try python?.collect()
        }
        Heap.trim()
    }

    /// Calls Python, here or in the worker, about itself.
    private func asking<R>(_ body: () throws -> R) throws(Failure) -> R {
        do {
            return try body()
        } catch let error as PythonError {
            throw Failure(error, input: "pyoutliers")
        } catch let error as WorkerError {
            throw Failure(error, input: "pyoutliers")
        } catch {
            throw Failure(.bug, "pyoutliers: \(error)")
        }
    }

    /// Bytes that are resident now, without the pages of files.
    func resident() throws(Failure) -> Int {
        guard let own = ResidentPages(of: "self")?.own else {
            throw Failure(
                .unavailable, "the kernel does not tell what is resident: there is no /proc/self/smaps_rollup")
        }
        return others.reduce(own) { $0 + (ResidentPages(of: $1)?.own ?? 0) }
    }

    /// The worker's process.
    private var others: [String] { worker?.pool.processIdentifiers.map(String.init) ?? [] }

    /// How many entries a directory has, the one that counts them not counted.
    private static func entries(of path: String) -> Int {
        guard let directory = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while let entry = unsafe readdir(directory) {
            if unsafe entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return path == "/proc/self/fd" ? count - 1 : count
    }
}
