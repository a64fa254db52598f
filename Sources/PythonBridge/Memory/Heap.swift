internal import CShim

/// The memory of malloc, which is Swift's too, and Python's for whatever is larger than 512 bytes.
package enum Heap {
    /// Bytes that were handed out and not freed, of all threads. Source: mallinfo2(3), `uordblks` and `hblkhd`.
    package static var allocatedBytes: Int { Int(cshim_heap_bytes()) }

    /// Gives what is free back to the system. Source: malloc_trim(3).
    package static func trim() { cshim_heap_trim() }
}
