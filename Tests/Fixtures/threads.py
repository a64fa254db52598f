"""What a thread is to Python."""

import ctypes
import threading
import weakref

local = threading.local()


def identity() -> int:
    return threading.get_ident()


def count_calls() -> int:
    """How often this thread has called."""
    local.calls = getattr(local, "calls", 0) + 1
    return local.calls


def state_count() -> int:
    """How many thread states the interpreter has."""
    api = ctypes.pythonapi
    for function in (api.PyInterpreterState_Get, api.PyInterpreterState_ThreadHead, api.PyThreadState_Next):
        function.restype = ctypes.c_void_p
    count, state = 0, api.PyInterpreterState_ThreadHead(ctypes.c_void_p(api.PyInterpreterState_Get()))
    while state:
        count, state = count + 1, api.PyThreadState_Next(ctypes.c_void_p(state))
    return count


class Probe:
    """Something of which it can be seen that it is gone."""

    probes: dict[str, weakref.ref] = {}

    def __init__(self, name: str) -> None:
        self.probes[name] = weakref.ref(self)


def is_alive(name: str) -> bool:
    return Probe.probes[name]() is not None


ended: list[str] = []


class Witness:
    """Says when the thread whose value it is has ended."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __del__(self) -> None:
        ended.append(self.name)


def leave_witness(name: str) -> None:
    local.witness = Witness(name)


def has_ended(name: str) -> bool:
    return name in ended


def meet(barrier) -> int:
    return barrier.wait(30)


def wait(event) -> bool:
    return event.wait()


def sum_all(samples) -> int:
    total = 0
    for sample in samples:
        total += sample
    return total


def run_elsewhere(value):
    """What a thread that Python started makes of the value."""
    results = []
    thread = threading.Thread(target=lambda: results.append((threading.get_ident() != identity, value * 2)))
    thread.start()
    thread.join()
    return results[0][1]
