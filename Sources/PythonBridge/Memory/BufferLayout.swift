internal import CShim

/// One-dimensional memory as the buffer protocol describes it.
@safe
@usableFromInline
struct BufferLayout {
    let layout: cshim_layout

    /// - Parameters:
    ///   - base: The first element's address; never null.
    ///   - stride: How many elements lie from one to the next.
    @usableFromInline
    init(base: UnsafeMutableRawPointer, count: Int, stride: Int, itemSize: Int, format: StaticString, isReadOnly: Bool)
    {
        unsafe layout = unsafe cshim_layout(
            base: base, count: count, stride: stride * itemSize, item_size: itemSize,
            format: UnsafeRawPointer(format.utf8Start).assumingMemoryBound(to: CChar.self), read_only: isReadOnly)
    }

    @inlinable
    init<Element: BufferElement>(
        of type: Element.Type, base: UnsafeMutableRawPointer, count: Int, stride: Int = 1, isReadOnly: Bool
    ) {
        unsafe self.init(
            base: base, count: count, stride: stride, itemSize: MemoryLayout<Element>.stride,
            format: Element.bufferFormat, isReadOnly: isReadOnly)
    }
}

extension SharedStorage {
    /// A new memoryview that holds this storage until its last view is gone. The thread is attached.
    @usableFromInline
    func share(_ memory: BufferLayout) throws(PythonError) -> PythonValue {
        var layout = unsafe memory.layout
        let owner = unsafe Unmanaged.passRetained(self).toOpaque()
        let view = unsafe cshim_share(&layout, owner) { owner in
            unsafe Unmanaged<SharedStorage>.fromOpaque(owner).release()
        }
        return unsafe try PythonValue(created: view)
    }
}
