import PythonBridge
import Testing

@Suite struct LendingTests {
    @Test func `a lent array is read by Python and another written to in place`() throws {
        let python = try TestPython.start()
        try python.run(
            """
            def lending_doubles(source, target):
                target[0] = int(source[0] * 2)
                return len(source)
            """)
        let function = try python.module("__main__").function("lending_doubles")
        var target = [0, 0]
        let count: Int = try function(.lending([21.0, 1.0, 2.0]), .lending(&target))
        #expect(count == 3)
        #expect(target == [42, 0])
    }
}
