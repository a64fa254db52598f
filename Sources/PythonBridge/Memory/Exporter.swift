internal import CShim

/// Passes shared memory to Python as the object that exports it, rather than as a `memoryview` of that.
///
/// Array libraries take it as their own: it has the buffer protocol, DLPack (`numpy.from_dlpack`, `torch.from_dlpack`) and, for
/// contiguous numbers in one dimension, the Arrow C data interface (`pyarrow.array`, `polars.Series`). A `memoryview`, which every
/// other argument arrives as, has the buffer protocol only; its `obj` is this object.
///
/// Python may keep it, and everything made of it. DLPack tells that memory is read-only from version 1.0 on, so read-only memory is
/// refused (`BufferError`) to a library that asks for less. Arrow's arrays are immutable whatever the memory is.
///
/// - Warning: Polars before version 2 writes into the memory when an item of its series is assigned. PyTorch (2.13) asks for DLPack
///   1.0, and writes to read-only memory all the same; it ends the process when a stride is negative. With numpy's arrays they do
///   the same.
public struct Exporter: PythonConvertible, Sendable {
    private let memory: any PythonConvertible & Sendable

    /// The exporter of a buffer's memory.
    public init<Element: BufferElement>(_ buffer: SharedBuffer<Element>) { memory = buffer }

    /// The exporter of an array's memory.
    public init<Element: BufferElement>(_ array: SharedArray<Element>) { memory = array }

    /// The exporter of a strided view's memory.
    public init<Element: BufferElement>(_ view: StridedView<Element>) { memory = view }

    /// A new exporter.
    @unsafe public func pythonValue() throws(PythonError) -> PythonValue {
        let view = try unsafe memory.pythonValue()
        return unsafe PythonValue(taking: cshim_exporter_of(view.handle))
    }
}
