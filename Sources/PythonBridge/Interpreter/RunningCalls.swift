internal import CShim

/// What other threads run in Python.
enum RunningCalls {
    /// One line that says where each of them is, if the GIL is soon to be had. Source: `sys._current_frames`.
    static var description: String {
        var identities = [UInt64](repeating: 0, count: 64)
        let count = unsafe Int(cshim_others_inside(&identities, Int32(identities.count)))
        guard count > 0 else { return "the last calls have just ended" }
        let inside = Array(identities.prefix(count))
        let places = Lock<[String]>([])
        _ = PatientThread.run(upToAttach: .milliseconds(100)) {
            let found = (try? Self.places(of: inside)) ?? []
            places.withLock { $0 = found }
        }
        let names = places.withLock { $0 }
        let list = names.isEmpty ? "code in C that holds the GIL" : names.joined(separator: ", ")
        return "\(count) thread\(count == 1 ? " is" : "s are") in Python: \(list)"
    }

    private static func places(of threads: [UInt64]) throws(PythonError) -> [String] {
        let frames: PythonObject = try PythonObject(importing: "sys").function("_current_frames")()
        let find = try frames.function("get")
        var places: [String] = []
        for thread in threads { places.append(try place(of: try find(thread))) }
        return places
    }

    private static func place(of frame: PythonObject?) throws(PythonError) -> String {
        guard let frame else { return "no Python code (a function in C, or Swift)" }
        let code = try frame.attribute("f_code")
        let name: String = try code.attribute("co_name").read()
        let file: String = try code.attribute("co_filename").read()
        let line: Int = try frame.attribute("f_lineno").read()
        return "\(name) (\(file), line \(line))"
    }
}
