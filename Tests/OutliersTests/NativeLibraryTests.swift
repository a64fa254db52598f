import Outliers
import PythonBridge
import Testing

@Suite struct NativeLibraryTests {
    @Test func `Python in this process calls the Swift library, which has a runtime of its own`() async {
        await #expect(processExitsWith: .success) {
            let python = try PythonInterpreter.start(Reference.configuration)
            try python.run(
                """
                import os
                folder = os.path.dirname(os.path.realpath("/proc/self/exe"))
                os.environ["OUTLIERS_NATIVE_LIBRARY"] = os.path.join(folder, "libOutliersNative.so")
                """)
            let detect = try python.function("detect", in: "pyoutliers.native")
            // A lend is over at the end of the call: the library keeps nothing.
            let samples = makeTestData()
            let indices: PythonBuffer<Int> = try detect(.lending(samples))
            #expect(Array(indices) == [7, 113, 835])
            #expect(throws: PythonError.self) { try detect(.lending([1.0, .nan])) as PythonBuffer<Int> }
        }
    }
}
