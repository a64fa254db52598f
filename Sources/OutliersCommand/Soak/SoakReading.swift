/// What this process, and the workers that it has, hold at a moment between two calls.
struct SoakReading: Encodable, Sendable {
    /// The calls before it.
    let calls: Int
    /// Since the first call.
    let seconds: Double
    /// Bytes of memory that are resident, without the pages of files.
    let resident: Int
    /// Bytes that malloc has handed out.
    let heap: Int
    /// Blocks that Python's allocator has handed out; nil where there is no Python.
    let pythonBlocks: Int?
    /// Exporters that Python holds.
    let exporters: Int
    let descriptors: Int
}
