internal import CShim

/// Contiguous elements that Python owns, read by Swift where they are: the result of a function that returns an array.
///
/// The buffer holds a view, so that the array lives as long as the buffer, and cannot be resized meanwhile. It is given up on any
/// thread; on one that is not attached, at the next attachment.
///
/// Reading is safe as long as Python does not write at the same time. Source: `PyObject_GetBuffer`.
@safe
public final class PythonBuffer<Element: BufferElement>: Sendable {
    nonisolated(unsafe) private let view: UnsafeMutableRawPointer
    @usableFromInline nonisolated(unsafe) let base: UnsafeRawPointer
    private let interpreter: UInt32
    /// The number of elements.
    public let count: Int

    private init(view: UnsafeMutableRawPointer, base: UnsafeRawPointer, count: Int) {
        unsafe self.view = unsafe view
        unsafe self.base = unsafe base
        self.count = count
        interpreter = cshim_running()
    }

    deinit {
        unsafe PendingReleases.release(view: view, of: interpreter)
    }

    /// Calls `body` with the memory. The pointer is valid until `body` returns.
    ///
    /// - Throws: What `body` throws.
    @inlinable
    public func withUnsafeBufferPointer<R, E>(_ body: (UnsafeBufferPointer<Element>) throws(E) -> R) throws(E) -> R {
        defer { extendLifetime(self) }
        return try unsafe body(UnsafeBufferPointer(start: base.assumingMemoryBound(to: Element.self), count: count))
    }
}

extension PythonBuffer: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { count }

    /// The element at `position`.
    ///
    /// - Precondition: `position` is within `0..<count`.
    @inlinable
    public subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count, "PythonBuffer index is out of bounds")
        defer { extendLifetime(self) }
        return unsafe Element.element(at: base + position * MemoryLayout<Element>.stride)
    }
}

extension PythonBuffer: PythonResult {
    /// Views the memory of an array, a `memoryview`, `bytes` or any other exporter.
    ///
    /// - Throws: ``PythonError/conversion(expected:found:)`` unless it is one-dimensional, contiguous, aligned and of this element
    ///   type in this machine's byte order.
    public static func read(_ value: borrowing PythonValue) throws(PythonError) -> Self {
        var view = unsafe cshim_view()
        guard unsafe cshim_view_acquire(value.handle, &view) else {
            _ = PythonException.take()  // a TypeError: not an exporter
            throw .conversion(expected: "a buffer of \(Element.self)", found: value.typeName)
        }
        guard let acquired = unsafe view.view else { throw .invalidBuffer("an exporter gave no view") }
        if let difference = unsafe difference(of: view) {
            unsafe cshim_view_release(acquired)
            throw .conversion(expected: "a contiguous one-dimensional buffer of \(Element.self)", found: difference)
        }
        let base = unsafe view.count == 0 ? nil : view.base
        return unsafe Self(view: acquired, base: UnsafeRawPointer(base ?? SharedStorage.placeholder), count: view.count)
    }

    /// What keeps a view from being contiguous, one-dimensional memory of this element type.
    private static func difference(of view: cshim_view) -> String? {
        let format = unsafe view.format.map { unsafe String(cString: $0) } ?? "B"
        if unsafe view.dimensions != 1 { return unsafe "\(view.dimensions) dimensions" }
        if !BufferFormat(format).describes(Element.self) { return "elements of format '\(format)'" }
        if unsafe view.count > 1 && view.stride != view.item_size { return unsafe "a stride of \(view.stride) bytes" }
        let isAligned = unsafe UInt(bitPattern: view.base).isMultiple(of: UInt(MemoryLayout<Element>.alignment))
        return unsafe isAligned || view.count == 0 ? nil : "misaligned memory"
    }
}

/// A format of one element, as the `struct` module writes it.
struct BufferFormat {
    private enum Kind { case signed, unsigned, floating, bool }

    private let kind: Kind?
    private let size: Int

    /// Reads a format such as `d`, `<f8`'s `<d`, or `l`; foreign byte order and anything but one number match no type.
    init(_ text: String) {
        let character = text.last ?? " "
        let prefix = text.dropLast()
        #if _endian(little)
            let nativePrefixes = ["", "@", "=", "<"]
        #else
            let nativePrefixes = ["", "@", "=", ">", "!"]
        #endif
        // With a prefix but '@' the sizes are the standard ones, where C's long has 4 bytes.
        let long = prefix.isEmpty || prefix == "@" ? 8 : 4
        let known: [Character: (Kind, Int)] = [
            "?": (.bool, 1), "b": (.signed, 1), "h": (.signed, 2), "i": (.signed, 4), "l": (.signed, long),
            "q": (.signed, 8), "n": (.signed, 8), "B": (.unsigned, 1), "H": (.unsigned, 2), "I": (.unsigned, 4),
            "L": (.unsigned, long), "Q": (.unsigned, 8), "N": (.unsigned, 8), "f": (.floating, 4), "d": (.floating, 8),
        ]
        let match = nativePrefixes.contains(String(prefix)) ? known[character] : nil
        kind = match?.0
        size = match?.1 ?? 0
    }

    /// Whether memory of this format holds elements of `type`.
    func describes<Element: BufferElement>(_ type: Element.Type) -> Bool {
        let wanted = BufferFormat("\(Element.bufferFormat)")
        return kind != nil && kind == wanted.kind && size == wanted.size
    }
}
