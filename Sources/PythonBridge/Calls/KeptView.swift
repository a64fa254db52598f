internal import CShim

/// A view of shared memory that the bridge keeps from call to call. It is made when the memory is passed for the second time.
@safe
public struct KeptView {
    @usableFromInline let pointer: OpaquePointer

    @usableFromInline
    init(pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }
}

extension PythonFunction {
    /// Calls with kept views for all arguments: nothing is made for the call, nor given back. Their memory lives until it is over.
    ///
    /// - Returns: Nil, with nothing done, when another call uses one of the views, Python has kept one, or this thread is not
    ///   admitted.
    @inlinable @inline(__always)
    func call<let count: Int, R: PythonResult>(kept views: InlineArray<count, KeptView>) throws(PythonError) -> R? {
        unsafe try withUnsafePointer(to: views) { views throws(PythonError) in
            let views = unsafe UnsafeRawPointer(views)
            let call = unsafe begin(views, count, readsInteger: R.self == Int.self)
            if call.isOver { return unsafe unsafeBitCast(call.value, to: R.self) }
            let result: Result<R, PythonError>
            do throws(PythonError) {
                guard let value = try call.result() else { return nil }
                result = .success(try value.read() as R)
            } catch {
                result = .failure(error)
            }
            unsafe Self.end(views, count, call)
            return try result.get()
        }
    }

    /// What became of a call: a `cshim_kept_call` in the registers of a result.
    @usableFromInline @frozen
    struct KeptCall {
        @usableFromInline let value: Int
        @usableFromInline let isOver: Bool
        let isOpen: Bool
        let attachment: UInt32

        /// What is returned is given up before the end. Nil when nothing was done.
        @usableFromInline
        func result() throws(PythonError) -> PythonValue? {
            guard isOpen else { return nil }
            guard let result = unsafe OpaquePointer(bitPattern: value) else { throw .raised() }
            PendingReleases.drain()
            return unsafe PythonValue(taking: result)
        }
    }

    /// Attaches this thread and calls.
    @usableFromInline
    func begin(_ views: UnsafeRawPointer, _ count: Int, readsInteger: Bool) -> KeptCall {
        let views = unsafe views.assumingMemoryBound(to: UnsafeMutablePointer<cshim_kept_view>.self)
        // What is due is done by an attached thread.
        let call = unsafe cshim_call_kept(
            object.interpreter, object.handle, views, count, readsInteger && !PendingReleases.isDue)
        return unsafe KeptCall(
            value: Int(call.integer), isOver: call.outcome == .CSHIM_KEPT_INTEGER,
            isOpen: call.outcome == .CSHIM_KEPT_OPEN, attachment: call.attachment.rawValue)
    }

    @usableFromInline
    static func end(_ views: UnsafeRawPointer, _ count: Int, _ call: KeptCall) {
        guard call.isOpen, let attachment = cshim_attachment(rawValue: call.attachment) else { return }
        let views = unsafe views.assumingMemoryBound(to: UnsafeMutablePointer<cshim_kept_view>.self)
        unsafe cshim_call_kept_end(views, count, attachment)
    }
}
