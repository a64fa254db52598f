public import PythonBridge

// Calls of up to six positional arguments, each of its own type: Swift's parameter packs do not admit types that cannot be copied or cannot escape, as
// memory that is lent is. The functions differ in nothing but their number of arguments, and in whether they wait in a task or on a thread.

extension WorkerFunction {
    /// Calls without arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<R: WorkerResult>(
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(0, returning: R.self)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls without arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction(
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(keywords: keywords)
    }

    /// Calls with one argument and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(1, returning: R.self)
        try call.append(argument: a)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with one argument, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, keywords: keywords)
    }

    /// Calls with two arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(2, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with two arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, b, keywords: keywords)
    }

    /// Calls with three arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(3, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with three arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, b, c, keywords: keywords)
    }

    /// Calls with four arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(4, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with four arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, b, c, d, keywords: keywords)
    }

    /// Calls with five arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(5, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        try call.append(argument: e)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with five arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, b, c, d, e, keywords: keywords)
    }

    /// Calls with six arguments and reads the result.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, F: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) -> R {
        var call = begin(6, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        try call.append(argument: e)
        try call.append(argument: f)
        let request = try request(&call, keywords)
        return try finish(call, await workers.outcome(of: request))
    }

    /// Calls with six arguments, whatever the result is.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, F: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) async throws(WorkerError) {
        let _: IgnoredResult = try await self(a, b, c, d, e, f, keywords: keywords)
    }
}

extension BlockingWorkerFunction {
    /// Calls without arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<R: WorkerResult>(
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(0, returning: R.self)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls without arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction(
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(keywords: keywords)
    }

    /// Calls with one argument and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(1, returning: R.self)
        try call.append(argument: a)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with one argument, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, keywords: keywords)
    }

    /// Calls with two arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(2, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with two arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, b, keywords: keywords)
    }

    /// Calls with three arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(3, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with three arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, b, c, keywords: keywords)
    }

    /// Calls with four arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(4, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with four arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, b, c, d, keywords: keywords)
    }

    /// Calls with five arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(5, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        try call.append(argument: e)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with five arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, b, c, d, e, keywords: keywords)
    }

    /// Calls with six arguments and reads the result, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, F: WorkerArgument & ~Copyable & ~Escapable, R: WorkerResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) -> R {
        var call = function.begin(6, returning: R.self)
        try call.append(argument: a)
        try call.append(argument: b)
        try call.append(argument: c)
        try call.append(argument: d)
        try call.append(argument: e)
        try call.append(argument: f)
        let request = try function.request(&call, keywords)
        return try function.finish(call, function.workers.outcome(of: request))
    }

    /// Calls with six arguments, whatever the result is, waiting on this thread.
    ///
    /// - Throws: ``WorkerError``.
    public func callAsFunction<
        A: WorkerArgument & ~Copyable & ~Escapable, B: WorkerArgument & ~Copyable & ~Escapable,
        C: WorkerArgument & ~Copyable & ~Escapable, D: WorkerArgument & ~Copyable & ~Escapable,
        E: WorkerArgument & ~Copyable & ~Escapable, F: WorkerArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) throws(WorkerError) {
        let _: IgnoredResult = try self(a, b, c, d, e, f, keywords: keywords)
    }
}
