import Synchronization

/// Cuts a run into phases, with the memory at the end of each.
final class PhaseRecorder: Sendable {
    private struct State {
        var phases: [EngineProfile.Phase] = []
        var current: (name: String, start: Double)?
        var tracing: PythonTracing?
    }

    private let sampler: MemorySampler
    private let state = Mutex(State())

    init(sampler: MemorySampler) { self.sampler = sampler }

    /// Has Python's own allocations read at the end of each phase from now on.
    func trace(_ tracing: PythonTracing) { state.withLock { $0.tracing = tracing } }

    /// Runs a phase, or several if it changes meanwhile.
    func phase<R>(_ name: String, _ body: () throws -> R) rethrows -> R {
        begin(name)
        defer { end() }
        return try body()
    }

    /// Ends the phase that is on, if it has this name, and begins another one.
    func change(from name: String, to next: String) {
        guard state.withLock({ $0.current?.name == name }) else { return }
        end()
        begin(next)
    }

    /// Has the first pass called the detection if no second one was told of.
    func mergePasses() {
        state.withLock { state in
            guard let last = state.phases.indices.last, state.phases[last].name == EngineProfile.PhaseName.firstPass
            else { return }
            state.phases[last].name = EngineProfile.PhaseName.detection
        }
    }

    var phases: [EngineProfile.Phase] { state.withLock { $0.phases } }

    /// Ends the readings.
    func finish() -> [MemoryReading] { sampler.stop() }

    private func begin(_ name: String) {
        sampler.beginPhase()
        state.withLock { $0.current = (name, sampler.seconds) }
    }

    private func end() {
        let end = sampler.seconds
        let memory = sampler.read()
        let peaks = sampler.peaks
        // Python is asked without the lock.
        let python = state.withLock { $0.tracing }?.read()
        state.withLock { state in
            guard let current = state.current else { return }
            state.current = nil
            state.phases.append(
                EngineProfile.Phase(
                    name: current.name, start: current.start, end: end, memory: memory, peak: memory.host.peak,
                    ownPeak: peaks.own, childPeak: peaks.child > 0 ? peaks.child : nil, python: python))
        }
    }
}
