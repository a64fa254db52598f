internal import CShim

/// What other threads run in Python.
enum RunningCalls {
    /// One line that says where each of them is. Source: `sys._current_frames`.
    static var description: String {
        get throws(PythonError) {
            var identities = [UInt64](repeating: 0, count: 64)
            let count = unsafe cshim_others_inside(&identities, Int32(identities.count))
            let attachment = try Attachment()
            defer { extendLifetime(attachment) }
            let frames: PythonObject = try PythonObject(importing: "sys").function("_current_frames")()
            let find = try frames.function("get")
            var places: [String] = []
            for identity in identities.prefix(Int(count)) { places.append(try place(of: try find(identity))) }
            return "\(count) thread\(count == 1 ? " is" : "s are") in Python: \(places.joined(separator: ", "))"
        }
    }

    private static func place(of frame: PythonObject?) throws(PythonError) -> String {
        guard let frame else { return "a function in C" }
        let code = try frame.attribute("f_code")
        let name: String = try code.attribute("co_name").read()
        let file: String = try code.attribute("co_filename").read()
        let line: Int = try frame.attribute("f_lineno").read()
        return "\(name) (\(file), line \(line))"
    }
}
