// Calls of up to six positional arguments, each of its own type: Swift's parameter packs do not admit types that cannot be
// copied or cannot escape, as memory that is lent is. The functions differ in nothing but their number of arguments.
//
// What is done with kept views is little, and becomes part of the caller; the rest, which passes the arguments one by one, does not.

extension PythonFunction {
    /// Calls without arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<R: PythonResult>(
        keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 0 + (keywords?.entries.count ?? 0))
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        return try call.finish(result)
    }

    /// Calls without arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction(
        keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(keywords: keywords)
    }

    /// Calls with one argument and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<A: PythonArgument & ~Copyable & ~Escapable, R: PythonResult>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView {
            defer { extendLifetime(a) }
            if let result: R = try call(kept: [aView]) { return result }
        }
        return try callPassing(a, keywords)
    }

    @inlinable
    func callPassing<A: PythonArgument & ~Copyable & ~Escapable, R: PythonResult>(
        _ a: borrowing A, _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 1 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.end(a, at: 0)
        return try call.finish(result)
    }

    /// Calls with one argument, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<A: PythonArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, keywords: keywords)
    }

    /// Calls with two arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView, let bView = b.keptView {
            defer { extendLifetime(a) }
            defer { extendLifetime(b) }
            if let result: R = try call(kept: [aView, bView]) { return result }
        }
        return try callPassing(a, b, keywords)
    }

    @inlinable
    func callPassing<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 2 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        call.append(argument: b)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.settle(b, at: 1)
        call.end(a, at: 0)
        call.end(b, at: 1)
        return try call.finish(result)
    }

    /// Calls with two arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable>(
        _ a: borrowing A, _ b: borrowing B, keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, b, keywords: keywords)
    }

    /// Calls with three arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView, let bView = b.keptView, let cView = c.keptView {
            defer { extendLifetime(a) }
            defer { extendLifetime(b) }
            defer { extendLifetime(c) }
            if let result: R = try call(kept: [aView, bView, cView]) { return result }
        }
        return try callPassing(a, b, c, keywords)
    }

    @inlinable
    func callPassing<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 3 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        call.append(argument: b)
        call.append(argument: c)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.settle(b, at: 1)
        call.settle(c, at: 2)
        call.end(a, at: 0)
        call.end(b, at: 1)
        call.end(c, at: 2)
        return try call.finish(result)
    }

    /// Calls with three arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, b, c, keywords: keywords)
    }

    /// Calls with four arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView, let bView = b.keptView, let cView = c.keptView,
            let dView = d.keptView
        {
            defer { extendLifetime(a) }
            defer { extendLifetime(b) }
            defer { extendLifetime(c) }
            defer { extendLifetime(d) }
            if let result: R = try call(kept: [aView, bView, cView, dView]) { return result }
        }
        return try callPassing(a, b, c, d, keywords)
    }

    @inlinable
    func callPassing<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 4 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        call.append(argument: b)
        call.append(argument: c)
        call.append(argument: d)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.settle(b, at: 1)
        call.settle(c, at: 2)
        call.settle(d, at: 3)
        call.end(a, at: 0)
        call.end(b, at: 1)
        call.end(c, at: 2)
        call.end(d, at: 3)
        return try call.finish(result)
    }

    /// Calls with four arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, b, c, d, keywords: keywords)
    }

    /// Calls with five arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView, let bView = b.keptView, let cView = c.keptView,
            let dView = d.keptView, let eView = e.keptView
        {
            defer { extendLifetime(a) }
            defer { extendLifetime(b) }
            defer { extendLifetime(c) }
            defer { extendLifetime(d) }
            defer { extendLifetime(e) }
            if let result: R = try call(kept: [aView, bView, cView, dView, eView]) { return result }
        }
        return try callPassing(a, b, c, d, e, keywords)
    }

    @inlinable
    func callPassing<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 5 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        call.append(argument: b)
        call.append(argument: c)
        call.append(argument: d)
        call.append(argument: e)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.settle(b, at: 1)
        call.settle(c, at: 2)
        call.settle(d, at: 3)
        call.settle(e, at: 4)
        call.end(a, at: 0)
        call.end(b, at: 1)
        call.end(c, at: 2)
        call.end(d, at: 3)
        call.end(e, at: 4)
        return try call.finish(result)
    }

    /// Calls with five arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E,
        keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, b, c, d, e, keywords: keywords)
    }

    /// Calls with six arguments and reads the result.
    ///
    /// - Throws: ``PythonError/exception(_:)`` with what Python raised; ``PythonError/escape(_:)`` when Python kept what was
    ///   lent; ``PythonError/conversion(expected:found:)`` when the result is not an `R`; ``PythonError/notRunning``.
    @inlinable @inline(__always)
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable, F: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) throws(PythonError) -> R {
        if keywords == nil, let aView = a.keptView, let bView = b.keptView, let cView = c.keptView,
            let dView = d.keptView, let eView = e.keptView, let fView = f.keptView
        {
            defer { extendLifetime(a) }
            defer { extendLifetime(b) }
            defer { extendLifetime(c) }
            defer { extendLifetime(d) }
            defer { extendLifetime(e) }
            defer { extendLifetime(f) }
            if let result: R = try call(kept: [aView, bView, cView, dView, eView, fView]) { return result }
        }
        return try callPassing(a, b, c, d, e, f, keywords)
    }

    @inlinable
    func callPassing<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable, F: PythonArgument & ~Copyable & ~Escapable, R: PythonResult
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        _ keywords: PythonKeywords?
    ) throws(PythonError) -> R {
        var call = try PythonCall(self, capacity: 6 + (keywords?.entries.count ?? 0))
        call.append(argument: a)
        call.append(argument: b)
        call.append(argument: c)
        call.append(argument: d)
        call.append(argument: e)
        call.append(argument: f)
        if let keywords { call.append(keywords) }
        let result = call.run(returning: R.self)
        call.settle(a, at: 0)
        call.settle(b, at: 1)
        call.settle(c, at: 2)
        call.settle(d, at: 3)
        call.settle(e, at: 4)
        call.settle(f, at: 5)
        call.end(a, at: 0)
        call.end(b, at: 1)
        call.end(c, at: 2)
        call.end(d, at: 3)
        call.end(e, at: 4)
        call.end(f, at: 5)
        return try call.finish(result)
    }

    /// Calls with six arguments, whatever the result is.
    ///
    /// - Throws: ``PythonError/exception(_:)``; ``PythonError/escape(_:)``; ``PythonError/notRunning``.
    @inlinable
    public func callAsFunction<
        A: PythonArgument & ~Copyable & ~Escapable, B: PythonArgument & ~Copyable & ~Escapable,
        C: PythonArgument & ~Copyable & ~Escapable, D: PythonArgument & ~Copyable & ~Escapable,
        E: PythonArgument & ~Copyable & ~Escapable, F: PythonArgument & ~Copyable & ~Escapable
    >(
        _ a: borrowing A, _ b: borrowing B, _ c: borrowing C, _ d: borrowing D, _ e: borrowing E, _ f: borrowing F,
        keywords: PythonKeywords? = nil
    ) throws(PythonError) {
        let _: Ignored = try self(a, b, c, d, e, f, keywords: keywords)
    }
}
