import PythonBridge
import Testing

/// Layouts at the edge of what 64 bits can count.
@Suite struct LayoutTests {
    private func expectRefusal(_ error: PythonError?) {
        guard case .invalidBuffer = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [[1 << 60], [1 << 30, 1 << 30], [0, 1 << 61], [1 << 60, 0], [.max]])
    func `an array whose bytes cannot be counted is refused, as by numpy`(shape: [Int]) throws {
        let buffer = try SharedBuffer<Double>(capacity: 1)
        let layout = try ArrayLayout(shape: shape, strides: shape.map { _ in 0 })
        expectRefusal(thrown { _ = try SharedArray(buffer, layout: layout) })
        let one = try SharedArray(buffer, shape: shape.map { _ in 1 })
        expectRefusal(thrown { _ = try one.broadcast(to: shape) })
        let values = try TestPython.memory("values")
        expectRefusal(thrown { try values(.lending([1.0], layout)) })
    }

    @Test func `one element cannot be picked more often than bytes can be counted`() throws {
        let buffer = try SharedBuffer<Double>(capacity: 1)
        expectRefusal(thrown { _ = try buffer.strided(from: 0, by: 0, count: 1 << 60) })
        expectRefusal(thrown { _ = try buffer.strided(from: 0, by: 0, count: .max) })
        #expect(try buffer.strided(from: 0, by: 0, count: .max / 8).count == .max / 8)
    }

    @Test(arguments: [Int.max, .min, 1 << 61])
    func `the strides of an array without elements may be any, as for numpy`(stride: Int) async {
        await #expect(processExitsWith: .success) { [stride] in
            let layout = try ArrayLayout(shape: [5, 0, 3], strides: [stride, stride, stride])
            #expect(layout.position(of: [3, 0, 2]) == nil)
            #expect(layout.isRowMajor && layout.isColumnMajor)
            let array = try SharedArray(SharedBuffer<Int>(capacity: 0), layout: layout.reversed(along: 0).transposed)
            #expect(array.elements == [])
            let seen: PythonArray<Int> = try TestPython.memory("as_array")(array)
            #expect(seen.shape == [3, 0, 5])
        }
    }

    @Test func `a stride that cannot be reversed is refused`() {
        expectRefusal(thrown { _ = try ArrayLayout(shape: [2], strides: [.min], offset: .max) })
        #expect(thrown { _ = try ArrayLayout(shape: [2], strides: [-.max], offset: .max) } == nil)
    }

    @Test func `one of numpy's dates, which has no strides, is read as its bytes`() async {
        await #expect(processExitsWith: .success) {
            let date = try TestPython.memory("date")
            let array: PythonArray<UInt8> = try date(258)
            let buffer: PythonBuffer<UInt8> = try date(258)
            #expect(array.elements == [2, 1, 0, 0, 0, 0, 0, 0])
            #expect(Array(buffer) == array.elements)
        }
    }
}
