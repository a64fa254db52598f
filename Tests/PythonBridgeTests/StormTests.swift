import Glibc
import PythonBridge
import Synchronization
import Testing

/// Many threads and tasks that do at once all that can be done, in an order that chance decides and a seed repeats.
///
/// `STORM_SEED` repeats what a run did that printed it, as far as threads can; `STORM_CALLS` is how many calls there are.
@Suite struct StormTests {
    @Test(.timeLimit(.minutes(15))) func `a storm of calls has the right results and leaves nothing`() async {
        let seed = number(of: "STORM_SEED") ?? Int.random(in: 0..<1_000_000)
        let calls = number(of: "STORM_CALLS") ?? 100_000
        print("storm: \(calls) calls, STORM_SEED=\(seed)")
        await #expect(processExitsWith: .success) { [seed = seed as Int, calls = calls as Int] in
            alarm(800)  // ends the process if it hangs
            do {
                let storm = try Storm(seed: UInt64(seed))
                try await storm.blow(calls / 2)
                let first = try Calm()
                try await storm.blow(calls / 2)
                try Calm().expectNothingSince(first)
            } catch {
                Issue.record(error)
            }
        }
    }

    func number(of variable: String) -> Int? {
        unsafe getenv(variable).flatMap { unsafe Int(String(cString: $0)) }
    }
}

/// What the process holds when all threads of a storm have ended.
private struct Calm {
    let threads = entries(of: "/proc/self/task")
    let descriptors = openDescriptors()
    let ledger = MemoryLedger.total
    let blocks: Int
    let resident: Int

    init() throws {
        blocks = try TestPython.fixture("settle", in: "leaks")()
        Heap.trim()
        resident = residentBytes()
    }

    func expectNothingSince(_ earlier: Calm) {
        let change = ledger - earlier.ledger
        #expect(change.exportersMade > 0 && change.escapes > 0)
        #expect(change.exportersAlive == 0)
        #expect(change.viewsOpen == 0)
        while entries(of: "/proc/self/task") > earlier.threads { sleepBriefly() }
        #expect(descriptors == earlier.descriptors)
        #expect(blocks - earlier.blocks < 2000)
        #expect(resident - earlier.resident < MemoryTests.residentTolerance * 4)
    }
}

/// A result that is not what it should be.
private struct Wrong: Error {
    let what: String

    init(_ what: String) { self.what = what }

    static func unless(_ isRight: Bool, _ what: @autoclosure () -> String) throws(Wrong) {
        if !isRight { throw Wrong(what()) }
    }
}

/// Chance that can be repeated.
private typealias Chance = SeededGenerator

extension SeededGenerator {
    fileprivate init(_ seed: UInt64) { self.init(seed: seed) }

    fileprivate mutating func number(_ bound: Int) -> Int { number(in: 0...bound - 1) }

    fileprivate mutating func numbers() -> [Int] { (0..<number(20)).map { _ in number(1000) } }
}

/// What threads leave to one another. ThreadSanitizer sees its lock, and not Synchronization's.
@safe
private final class Pool<Item>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var items: [Item] = []

    init() { unsafe pthread_mutex_init(mutex, nil) }

    deinit { unsafe mutex.deallocate() }

    func put(_ item: Item) {
        unsafe pthread_mutex_lock(mutex)
        items.append(item)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Any item, or nil when there is none.
    func take(_ number: Int) -> Item? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return items.isEmpty ? nil : items.remove(at: number % items.count)
    }
}

/// The calls, what is known of their results, and what threads leave to one another.
private final class Storm: Sendable {
    typealias Call = @Sendable (Storm) -> (inout Chance) throws -> Void

    private let seed: UInt64
    private let seasons = Atomic<UInt64>(0)
    let python: PythonInterpreter
    private let total, double, flat, squares, countUp, apply, fail, keep, keptTotal, drop, work, token: PythonFunction
    private let samples: SharedBuffer<Int>
    private let prepared: PreparedCall

    /// Objects of one thread for another.
    private let tokens = Pool<(number: Int, object: PythonObject)>()
    /// Lent arrays that Python kept.
    private let escaped = Pool<(key: Int, total: Int, lease: PythonLease)>()
    private let nextKey = Atomic(0)
    /// Cancellations that any thread may cancel.
    private let cancellations = Pool<PythonCancellation>()

    init(seed: UInt64) throws {
        self.seed = seed
        python = try TestPython.start()
        func function(_ name: String) throws -> PythonFunction { try TestPython.fixture(name, in: "storm") }
        total = try function("total")
        double = try function("double")
        flat = try function("flat")
        squares = try function("squares")
        countUp = try function("count_up")
        apply = try function("apply")
        fail = try function("fail")
        keep = try function("keep")
        keptTotal = try function("kept_total")
        drop = try function("drop")
        work = try function("work")
        token = try function("Token")
        samples = try SharedBuffer(contentsOf: 1...10)
        prepared = try total.prepared(samples)
    }

    // MARK: Who calls

    private static let (threads, tasks) = (16, 64)

    /// Makes so many calls on threads that begin and end, and in tasks, and then nothing is left over.
    func blow(_ calls: Int) async throws {
        let season = seasons.add(1, ordering: .relaxed).newValue
        func chance(_ index: Int) -> Chance {
            Chance(seed &* 1_000_003 &+ season &* 1009 &+ UInt64(bitPattern: Int64(index)))
        }
        let failure = Lock<(any Error)?>(nil)
        let running = Counter()
        let share = calls / (Self.threads + Self.tasks / 4)
        for index in 0..<Self.threads {
            running.add(1)
            let chance = chance(index)
            startThread {
                do { try self.blowOnThreads(share, chance) } catch { failure.withLock { $0 = error } }
                running.add(-1)
            }
        }
        try await blowInTasks(share / 4, chance)
        while running.value > 0 { sleepBriefly() }
        if let failure = failure.withLock({ $0 }) { throw failure }
        var last = chance(-1)
        while try letGo(&last) {}
        while tokens.take(0) != nil {}
        try python.run("pass")  // gives up what was released elsewhere
    }

    /// One thread after the other.
    private func blowOnThreads(_ calls: Int, _ chance: Chance) throws {
        var (left, chance) = (calls, chance)
        while left > 0 {
            let count = min(left, 1 + chance.number(500))
            let seed = chance.next()
            try onNewThreads { _ in
                var chance = Chance(seed)
                for _ in 0..<count { try self.call(Self.allCalls, &chance) }
            }
            left -= count
        }
    }

    private func blowInTasks(_ calls: Int, _ chance: (Int) -> Chance) async throws {
        let executor = try PythonExecutor(threads: 4, capacity: 16)
        let resident = try Resident()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<Self.tasks {
                let chance = chance(Self.threads + index)
                switch index % 8 {
                case 0:
                    group.addTask { try await resident.blow(calls, self, chance) }
                case 1:
                    group.addTask(executorPreference: executor) { try self.blow(calls, chance) }
                default:
                    group.addTask { try await self.blow(calls, on: executor, chance) }
                }
            }
            try await group.waitForAll()
        }
    }

    func blow(_ calls: Int, _ chance: Chance) throws {
        var chance = chance
        for _ in 0..<calls { try call(Self.allCalls, &chance) }
    }

    /// By a few calls at a time, some of which are cancelled or have a deadline.
    private func blow(_ calls: Int, on executor: PythonExecutor, _ chance: Chance) async throws {
        var (left, chance) = (calls, chance)
        while left > 0 {
            let count = min(left, 1 + chance.number(20))
            let seed = chance.next()
            let deadline = chance.number(8) == 0 ? ContinuousClock.now + .microseconds(chance.number(2000)) : nil
            let task = Task {
                try await executor.run(deadline: deadline) {
                    var chance = Chance(seed)
                    for _ in 0..<count { try self.call(Self.calls, &chance) }
                }
            }
            let isCancelled = chance.number(8) == 0
            if isCancelled {
                for _ in 0..<chance.number(20) { await Task.yield() }
                task.cancel()
            }
            do { try await task.value } catch PythonError.cancelled where isCancelled {
            } catch PythonError.deadlineExceeded where deadline != nil {}
            left -= count
        }
    }

    private actor Resident {
        private let thread = Result { () throws(PythonError) in try PythonThread() }

        init() throws { _ = try thread.get() }

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            guard case .success(let thread) = thread else { preconditionFailure("there is a thread") }
            return unsafe thread.asUnownedSerialExecutor()
        }

        func blow(_ calls: Int, _ storm: Storm, _ chance: Chance) async throws {
            var (left, chance) = (calls, chance)
            while left > 0 {
                let count = min(left, 50)
                try storm.blow(count, Chance(chance.next()))
                left -= count
                await Task.yield()
            }
        }
    }

    // MARK: What they call

    /// Calls that may be interrupted at any time.
    private static let calls: [Call] = [
        share, lend, lend, lendAndWrite, lendAndWrite, lendArray, shareArray, writeToInput, allocate, readArray,
        callPrepared, callPrepared, preparedOfItsOwn, attached, callBack, callBackWithMemory, callBackAndRefuse, raise,
    ]

    /// All, among them those that leave something to other threads.
    private static let allCalls: [Call] =
        calls + calls + [
            escape, endEscape, endEscape, meetDeadline, meetDeadline, beCancelled, cancel, cancel, handOn, take,
        ]

    private func call(_ calls: [Call], _ chance: inout Chance) throws {
        try calls[chance.number(calls.count)](self)(&chance)
    }

    private func expect(_ sum: Int, of numbers: [Int]) throws {
        try Wrong.unless(sum == numbers.reduce(0, +), "\(sum) is not the sum of \(numbers)")
    }

    private func expect(_ found: [Int], _ expected: [Int]) throws {
        try Wrong.unless(found == expected, "\(found) instead of \(expected)")
    }

    /// The error that a call throws; an interruption is thrown on.
    private func error(of body: () throws -> Void) throws -> PythonError {
        do { try body() } catch let error as PythonError {
            if error.isInterruption { throw error }
            return error
        }
        throw Wrong("nothing was thrown")
    }

    @Sendable private func share(_ chance: inout Chance) throws {
        let numbers = chance.numbers()
        try expect(try total(SharedBuffer<Int>(contentsOf: numbers)), of: numbers)
    }

    @Sendable private func lend(_ chance: inout Chance) throws {
        let numbers = chance.numbers()
        try expect(try total(.lending(numbers)), of: numbers)
    }

    @Sendable private func lendAndWrite(_ chance: inout Chance) throws {
        var numbers = chance.numbers()
        let doubled = numbers.map { 2 * $0 }
        try double(.lending(&numbers))
        try expect(numbers, doubled)
    }

    @Sendable private func writeToInput(_ chance: inout Chance) throws {
        let numbers = chance.numbers() + [1]
        let error = try error { try double(.lending(numbers)) }
        try Wrong.unless(error.exception?.type == "TypeError", "\(error)")
    }

    private func layout(_ chance: inout Chance) throws -> (memory: [Int], layout: ArrayLayout, elements: [Int]) {
        let (rows, columns) = (1 + chance.number(5), 1 + chance.number(5))
        let memory = (0..<rows * columns).map { _ in chance.number(1000) }
        let transposed = (0..<columns).flatMap { column in (0..<rows).map { memory[$0 * columns + column] } }
        return (memory, try ArrayLayout(rowMajor: [rows, columns]).transposed, transposed)
    }

    @Sendable private func lendArray(_ chance: inout Chance) throws {
        let (memory, layout, elements) = try layout(&chance)
        try expect(try flat(.lending(memory, layout)), elements)
    }

    @Sendable private func shareArray(_ chance: inout Chance) throws {
        let (memory, layout, elements) = try layout(&chance)
        try expect(try flat(SharedArray(SharedBuffer(contentsOf: memory), layout: layout)), elements)
    }

    @Sendable private func allocate(_ chance: inout Chance) throws {
        let numbers = chance.numbers()
        let result: SharedBuffer<Int> = try squares(.lending(numbers), BufferAllocator<Int>())
        try expect(Array(result), numbers.map { $0 * $0 })
    }

    @Sendable private func readArray(_ chance: inout Chance) throws {
        let count = chance.number(20)
        let array: PythonBuffer<Int> = try countUp(count)
        try expect(Array(array), Array(0..<count))
    }

    @Sendable private func callPrepared(_ chance: inout Chance) throws {
        try expect(try prepared(), of: Array(1...10))
    }

    @Sendable private func preparedOfItsOwn(_ chance: inout Chance) throws {
        let numbers = chance.numbers()
        let prepared = try total.prepared(SharedBuffer(contentsOf: numbers))
        for _ in 0..<3 { try expect(try prepared(), of: numbers) }
    }

    @Sendable private func attached(_ chance: inout Chance) throws {
        var inner = chance
        try python.attached { _ in
            for _ in 0..<3 {
                try lend(&inner)
                try lendAndWrite(&inner)
            }
        }
        chance = inner
    }

    @Sendable private func callBack(_ chance: inout Chance) throws {
        let (number, total) = (chance.number(1000), total)
        let add = PythonCallback { (other: Int) -> Int in number + (try total(.lending([other, 1]))) }
        let sum: Int = try apply(add, 7)
        try expect(sum, of: [number, 8])
    }

    @Sendable private func callBackWithMemory(_ chance: inout Chance) throws {
        let numbers = chance.numbers()
        let sum = PythonCallback { (memory: PythonBuffer<Int>) in memory.reduce(0, +) }
        try expect(try apply(sum, SharedBuffer(contentsOf: numbers)), of: numbers)
    }

    @Sendable private func callBackAndRefuse(_ chance: inout Chance) throws {
        let number = chance.number(1000)
        let refuse = PythonCallback { () -> Int in throw Wrong("\(number)") }
        let error = try error { let _: Int = try apply(refuse) }
        try Wrong.unless((error.exception?.swiftError as? Wrong)?.what == "\(number)", "\(error) instead of \(number)")
    }

    @Sendable private func raise(_ chance: inout Chance) throws {
        let number = chance.number(1000)
        let error = try error { try fail(number) }
        try Wrong.unless(error.exception?.description == "LookupError: number \(number)", "\(error)")
    }

    @Sendable private func escape(_ chance: inout Chance) throws {
        let numbers = chance.numbers() + [1]
        let key = nextKey.add(1, ordering: .relaxed).newValue
        let error = try error { try keep(.lending(numbers), key) }
        guard let view = error.escape?.views.first, view.argument == "view" else { throw Wrong("\(error)") }
        escaped.put((key, numbers.reduce(0, +), view.lease))
    }

    @Sendable private func endEscape(_ chance: inout Chance) throws { _ = try letGo(&chance) }

    /// Returns whether there was one to be let go of.
    private func letGo(_ chance: inout Chance) throws -> Bool {
        let number = chance.number(1000)
        guard let escape = escaped.take(number) else { return false }
        try Wrong.unless(!escape.lease.hasEnded, "a lease ended before Python let go")
        let sum: Int = try keptTotal(escape.key)
        try Wrong.unless(sum == escape.total, "Python kept \(sum) instead of \(escape.total)")
        try drop(escape.key)
        try Wrong.unless(escape.lease.hasEnded, "a lease goes on after Python let go")
        return true
    }

    /// Some calls that are interrupted or have the right results, and then one that nothing interrupts.
    private func interruptible(_ chance: inout Chance) throws {
        let count = chance.number(500)
        try expect(try work(count), of: Array(0..<count))
        for _ in 0..<chance.number(4) { try call(Self.calls, &chance) }
    }

    @Sendable private func meetDeadline(_ chance: inout Chance) throws {
        let deadline = ContinuousClock.now + .microseconds(chance.number(300))
        do {
            try python.withDeadline(deadline) { try interruptible(&chance) }
        } catch PythonError.deadlineExceeded {
            try Wrong.unless(deadline <= .now, "a deadline came too early")
        }
        try lend(&chance)
    }

    @Sendable private func beCancelled(_ chance: inout Chance) throws {
        let cancellation = PythonCancellation()
        cancellations.put(cancellation)
        do {
            try cancellation.run { for _ in 0..<5 { try interruptible(&chance) } }
        } catch PythonError.cancelled {
            try Wrong.unless(cancellation.isCancelled, "nobody had cancelled")
        }
        try lend(&chance)
    }

    @Sendable private func cancel(_ chance: inout Chance) throws {
        let number = chance.number(1000)
        cancellations.take(number)?.cancel()
    }

    @Sendable private func handOn(_ chance: inout Chance) throws {
        let number = chance.number(1000)
        let object: PythonObject = try token(number)
        tokens.put((number, object))
    }

    /// Looks at an object of another thread, or just gives it up, on a thread that is not attached.
    @Sendable private func take(_ chance: inout Chance) throws {
        let number = chance.number(1000)
        guard let token = tokens.take(number) else { return }
        guard number % 3 > 0 else { return }
        try expect(try token.object.attribute("number").read(), of: [token.number])
        try expect(try token.object.function("double")(), of: [2 * token.number])
    }
}

extension PythonError {
    fileprivate var isInterruption: Bool {
        switch self {
        case .cancelled, .deadlineExceeded: true
        default: false
        }
    }
}
