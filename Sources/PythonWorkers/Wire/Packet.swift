/// What a packet of the host's is: a list whose first item is one of these.
enum HostMessage: Int {
    /// Search paths, level of the log, limits. The lifeline's descriptor comes next.
    case hello
    /// A number for memory, its length in bytes, whether Python may write to it, whether it is lent. Its descriptor comes next.
    case map
    /// The numbers of memory that is gone.
    case forget
    /// Module or script, function, kind of the result, arguments, names and values of keywords, positions and numbers of what is lent.
    case call
    /// Whether it is a value; the value, or what to raise.
    case answer
    case ping
    /// The packet is in memory: its number, and the packet's length.
    case large
}

extension MessagePackWriter {
    /// Begins a packet of the host's, of which so many fields come next.
    init(_ message: HostMessage, fields: Int) {
        self.init()
        appendArray(count: 1 + fields)
        append(message.rawValue)
    }
}

/// What a packet of the worker's is.
enum WorkerMessage: Int {
    /// The version of Python.
    case ready
    case result
    /// An exception and its causes; the arguments of which a view was kept; the exception's number.
    case raised
    /// The type of a result that Swift did not ask for.
    case misfit
    /// The number of a closure, and its arguments.
    case callback
    /// So many bytes, and what for.
    case allocate
    /// Level, logger, text.
    case log
    case pong
    /// The packet is in memory: its number, and the packet's length.
    case large
}

/// What a worker asks memory for.
enum AllocationPurpose: Int {
    case onDemand, copy, message
}

/// The longest packet that travels by itself; a longer one lies in memory.
let longestPacket = 1 << 16
