internal import CShim

/// What became of a call: a `cshim_call_state`, in the registers of a result.
@usableFromInline @frozen
struct CallState {
    /// The result of a call that is over; of an open one where its result is, or 0 with an exception raised.
    @usableFromInline let value: Int
    @usableFromInline let outcome: UInt32
    private let rawAttachment: UInt32

    init(_ state: cshim_call_state) {
        value = unsafe Int(state.integer)
        outcome = unsafe state.outcome.rawValue
        rawAttachment = unsafe state.attachment.rawValue
    }

    /// Whether the result was an integer, and nothing is left to do. It is `CSHIM_CALL_OVER`, the first of them.
    @inlinable
    var isOver: Bool { outcome == 0 }

    /// Whether there is a result, or an exception is raised.
    @usableFromInline
    var isOpen: Bool { outcome == cshim_call_outcome.CSHIM_CALL_OPEN.rawValue }

    /// How the thread was attached for an open call.
    var attachment: cshim_attachment { cshim_attachment(rawValue: rawAttachment) ?? .CSHIM_NOT_RUNNING }

    /// Reads what an open call returned, and has the call ended, whatever came of it.
    @inlinable
    func finish<R: PythonResult>(end: (CallState) -> Void) throws(PythonError) -> R {
        let reading: Result<R, PythonError>
        do throws(PythonError) {
            reading = .success(try result().read() as R)
        } catch {
            reading = .failure(error)
        }
        end(self)
        return try reading.get()
    }

    /// What an open call returned, given up before its end.
    @usableFromInline
    func result() throws(PythonError) -> PythonValue {
        guard let result = unsafe OpaquePointer(bitPattern: value) else { throw .raised() }
        PendingReleases.drain()
        return unsafe PythonValue(taking: result)
    }
}
