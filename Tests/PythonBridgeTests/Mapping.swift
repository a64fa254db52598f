import Glibc
import PythonBridge

/// The lines of `smaps` about the mapping in which an address lies.
func mapping(at address: Int, of process: Int32 = getpid()) -> [Substring] {
    var (found, isWithin): ([Substring], Bool) = ([], false)
    for line in FileSystem.lines(of: "/proc/\(process)/smaps") ?? [] {
        let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { Int($0, radix: 16) }
        if bounds.count == 2 { isWithin = bounds[0] <= address && address < bounds[1] }
        if isWithin { found.append(line) }
    }
    return found
}
