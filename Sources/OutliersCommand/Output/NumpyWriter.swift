import Glibc
import PythonBridge

/// Writes indices as a one-dimensional int64 `.npy`, version 1.0 of the format (numpy.lib.format).
enum NumpyWriter {
    static func write(_ indices: SharedBuffer<Int>, to file: OutputFile) throws(Failure) {
        let descriptor = unsafe open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure(.cannotWrite, "\(file.name): \(SystemError.message(errno))") }
        do throws(Failure) {
            var bytes = header(count: indices.count)
            for index in indices {
                unsafe withUnsafeBytes(of: Int64(index).littleEndian) { unsafe bytes.append(contentsOf: $0) }
                guard bytes.count >= 1 << 20 else { continue }
                try FileDescriptor.write(bytes, to: descriptor, name: file.name)
                bytes.removeAll(keepingCapacity: true)
            }
            try FileDescriptor.write(bytes, to: descriptor, name: file.name)
        } catch {
            close(descriptor)
            throw error
        }
        // A full disk may be noticed only now.
        guard close(descriptor) == 0 else { throw Failure(.cannotWrite, "\(file.name): \(SystemError.message(errno))") }
    }

    private static func header(count: Int) -> [UInt8] {
        var text = "{'descr': '<i8', 'fortran_order': False, 'shape': (\(count),), }"
        // Ten bytes come before the text, and the data starts at a multiple of 64.
        let padding = 63 - (10 + text.utf8.count) % 64
        text += String(repeating: " ", count: padding) + "\n"
        let length = UInt16(text.utf8.count)
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
    }
}
