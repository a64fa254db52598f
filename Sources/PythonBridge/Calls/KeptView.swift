internal import CShim

/// A view of shared memory that the bridge keeps from call to call. It is made when the memory is passed for the second time.
@safe
public struct KeptView {
    @usableFromInline let pointer: OpaquePointer

    @usableFromInline
    init(pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }
}

/// What a view is kept of: the first members of a `cshim_kept_view`, which do not change. Callers compare with them in line.
@usableFromInline @frozen @unsafe
struct KeptMemory {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let count: Int
    @usableFromInline let stride: Int
    private let itemSize: Int
    @usableFromInline let format: UnsafePointer<CChar>
    @usableFromInline let isReadOnly: Bool

    /// Whether the members lie where C has them.
    static var isAsInC: Bool {
        typealias C = cshim_kept_view
        return unsafe MemoryLayout<Self>.offset(of: \.base) == MemoryLayout<C>.offset(of: \.base)
            && MemoryLayout<Self>.offset(of: \.count) == MemoryLayout<C>.offset(of: \.count)
            && MemoryLayout<Self>.offset(of: \.stride) == MemoryLayout<C>.offset(of: \.stride)
            && MemoryLayout<Self>.offset(of: \.format) == MemoryLayout<C>.offset(of: \.format)
            && MemoryLayout<Self>.offset(of: \.isReadOnly) == MemoryLayout<C>.offset(of: \.read_only)
    }
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
            if call.isOver { return unsafe unsafeBitCast(call.value, to: R.self) }  // an Int
            guard call.isOpen else { return nil }
            return try call.finish { unsafe Self.end(views, count, $0) } as R
        }
    }

    /// Attaches this thread and calls.
    @usableFromInline
    func begin(_ views: UnsafeRawPointer, _ count: Int, readsInteger: Bool) -> CallState {
        let views = unsafe views.assumingMemoryBound(to: UnsafeMutablePointer<cshim_kept_view>.self)
        // What is due is done by an attached thread.
        return unsafe CallState(
            cshim_call_kept(
                object.interpreter, object.handle, views, count, readsInteger && !PendingReleases.isDue))
    }

    @usableFromInline
    static func end(_ views: UnsafeRawPointer, _ count: Int, _ call: CallState) {
        let views = unsafe views.assumingMemoryBound(to: UnsafeMutablePointer<cshim_kept_view>.self)
        unsafe cshim_call_kept_end(views, count, call.attachment)
    }
}
