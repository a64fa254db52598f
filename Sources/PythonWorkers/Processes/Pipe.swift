internal import Glibc
internal import PythonBridge
internal import SystemPackage

/// A pipe that no program started by this process inherits. Source: pipe2(2).
struct Pipe: Sendable {
    let reading: Descriptor
    let writing: Descriptor

    /// - Throws: `PythonError.interpreter(_:)` when the process has no descriptor left.
    init() throws(PythonError) {
        do {
            let ends = try FileDescriptor.pipe(options: .closeOnExec)
            reading = Descriptor(ends.readEnd.rawValue)
            writing = Descriptor(ends.writeEnd.rawValue)
        } catch {
            throw .interpreter("there can be no further pipe: \(error)")
        }
    }

    /// Makes it readable.
    func signal() {
        var byte: UInt8 = 1
        unsafe write(writing.number, &byte, 1)
    }
}
