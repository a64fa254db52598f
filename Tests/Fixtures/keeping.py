"""The ways in which Python keeps memory that it was given, and what looks like keeping but is not."""

import array
import contextvars
import ctypes
import functools
import gc
import io
import pickle
import sys
import queue
import threading
import types
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np


def identity(kept):
    return kept


def nothing(kept) -> None:
    """Of what has no memory to look at."""


def always(outcome: str) -> Callable:
    return lambda view: outcome


@dataclass
class Way:
    """One way to keep memory.

    `outcome` of a view is "kept", "collected" (kept until the collector runs), "copied", or the exception that Python raises.
    """

    keep: Callable
    read: Callable = identity  # what can be seen of the memory, or None
    drop: Callable = nothing  # more to be done than forgetting it
    outcome: Callable = always("kept")


ways: dict[str, Way] = {}


def way(name: str, **how):
    """Makes a way of the function that keeps."""

    def add(keep: Callable) -> Callable:
        ways[name] = Way(keep, **how)
        return keep

    return add


def copying(name: str, keep: Callable) -> None:
    ways[name] = Way(keep, nothing, outcome=always("copied"))


def strided(view):
    elements = np.asarray(view).ravel()
    return np.lib.stride_tricks.as_strided(elements, (elements.size // 2,), (2 * elements.itemsize,))


# Views of memoryview
way("memoryview")(identity)
way("slice")(lambda view: view[1:])
way("every other element")(lambda view: view[::2])
way("second memoryview")(memoryview)
way("cast to bytes")(lambda view: view.cast("B"))
way("cast to two dimensions")(lambda view: view.cast("B").cast(view.format, [2, view.nbytes // view.itemsize // 2]))
way("read-only view")(lambda view: view.toreadonly())
# Up to Python 3.9 it is the first item that more dimensions refuse.
way(
    "iterator",
    read=nothing,
    outcome=lambda view: "kept" if view.ndim == 1 or sys.version_info < (3, 10) else "NotImplementedError",
)(iter)
way("bound method", read=lambda kept: kept.__self__)(lambda view: view.tolist)
way("exporter", read=nothing)(lambda view: view.obj)

# Arrays
way("asarray")(np.asarray)
way("frombuffer")(lambda view: np.frombuffer(view, view.format))
way("strided array")(lambda view: np.asarray(view)[::2])
way("reversed array")(lambda view: np.asarray(view)[::-1])
way("transposed array")(lambda view: np.asarray(view).reshape(-1, 2).T)
way("array of bytes")(lambda view: np.asarray(view).view(np.uint8))
way("ndarray")(lambda view: np.ndarray(view.shape, view.format, buffer=view))
way("ndarray of the exporter")(lambda view: np.ndarray(view.shape, view.format, buffer=view.obj))
way("as_strided")(strided)
way("ctypes of an array", read=lambda kept: kept._arr)(lambda view: np.asarray(view).ctypes)
way("pointer to an array", read=nothing)(lambda view: np.asarray(view).ctypes.data_as(ctypes.c_void_p))
way("broadcast")(lambda view: np.broadcast_to(np.asarray(view), (2, *view.shape)))
way("masked array", read=lambda kept: kept.data)(lambda view: np.ma.array(view, copy=False))
way("flat iterator", read=lambda kept: kept.base)(lambda view: np.asarray(view).flat)
way("iterator of numpy", read=lambda kept: kept.operands[0])(lambda view: np.nditer(np.asarray(view)))


@way("ndarray of a released memoryview")
def keep_without_memoryview(view):
    array = np.ndarray(view.shape, view.format, buffer=view)
    view.release()
    return array


@way("array of objects", read=lambda kept: kept[0])
def keep_in_array(view):
    array = np.empty(1, dtype=object)
    array[0] = view
    return array


# Other consumers of the buffer protocol
way("PickleBuffer", read=lambda kept: np.frombuffer(kept))(pickle.PickleBuffer)
way(
    "ctypes", read=lambda kept: np.frombuffer(kept), outcome=lambda view: "TypeError" if view.readonly else "kept"
)(lambda view: (ctypes.c_char * view.nbytes).from_buffer(view))
way("DLPack capsule", read=nothing)(lambda view: view.obj.__dlpack__(max_version=(1, 0)))
way("Arrow capsule", read=nothing, outcome=lambda view: "kept" if view.ndim == 1 else "BufferError")(
    lambda view: view.obj.__arrow_c_array__()
)


@way("out-of-band pickle", read=lambda kept: np.frombuffer(kept[0]))
def pickle_out_of_band(view):
    buffers = []
    pickle.dumps(np.asarray(view), protocol=5, buffer_callback=buffers.append)
    return buffers


class KeepingStream(io.BytesIO):
    """Keeps what it is given to write, as well as writing it."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, data) -> int:
        self.written.append(data)
        return super().write(data)


def written(save: Callable, stream: io.BytesIO) -> io.BytesIO:
    save(stream)
    return stream


way("stream that keeps what is written", read=lambda kept: kept.written[0])(
    lambda view: written(lambda stream: stream.write(view), KeepingStream())
)

# Places
way("list", read=lambda kept: kept[0])(lambda view: [view])
way("attribute", read=lambda kept: kept.view)(lambda view: types.SimpleNamespace(view=view))
way("closure", read=lambda kept: kept())(lambda view: lambda: view)
way("partial", read=lambda kept: kept())(lambda view: functools.partial(identity, view))


@way("global", read=lambda kept: global_view, drop=lambda kept: globals().pop("global_view"))
def keep_in_global(view) -> None:
    global global_view
    global_view = view


@way("default argument", read=lambda kept: kept())
def keep_in_default(view):
    def function(view=view):
        return view

    return function


@way("context variable", read=lambda kept: next(iter(kept.values())))
def keep_in_context(view):
    context = contextvars.Context()
    context.run(contextvars.ContextVar("view").set, view)
    return context


@way("lru_cache", read=nothing)
def keep_in_cache(view):
    cached = functools.lru_cache(lambda key: None)
    cached(view.obj)
    return cached


# What has stopped halfway
@way("suspended generator", read=lambda kept: kept.gi_frame.f_locals["view"])
def keep_in_generator(view):
    def suspend(view):
        yield
        return view

    generator = suspend(view)
    next(generator)
    return generator


@types.coroutine
def pause():
    yield


@way("suspended coroutine", read=lambda kept: kept.cr_frame.f_locals["view"])
def keep_in_coroutine(view):
    async def suspend(view):
        await pause()
        return view

    coroutine = suspend(view)
    coroutine.send(None)
    return coroutine


@way("traceback of an exception", read=lambda kept: kept.__traceback__.tb_next.tb_frame.f_locals["view"])
def keep_in_traceback(view):
    def fail(view):
        raise LookupError(len(view))

    try:
        fail(view)
    except LookupError as error:
        return error


def wait_in_pool(view, requests: queue.Queue):
    requests.get()
    return np.array(view)


@way("running thread pool", read=nothing, drop=lambda kept: kept())
def keep_in_pool(view):
    requests = queue.Queue()
    pool = ThreadPoolExecutor(1)
    future = pool.submit(wait_in_pool, view, requests)
    expected = np.array(view)

    def finish() -> None:
        requests.put(None)
        pool.shutdown()
        assert np.array_equal(future.result(), expected)

    return finish


@way("running thread", read=nothing, drop=lambda kept: kept())
def keep_in_thread(view):
    requests = queue.Queue()
    thread = threading.Thread(target=wait_in_pool, args=(view, requests))
    thread.start()

    def finish() -> None:
        requests.put(None)
        thread.join()

    return finish


@way("reference cycle", read=nothing, outcome=always("collected"))
def keep_in_cycle(view) -> None:
    cycle = [view]
    cycle.append(cycle)


@way("cycle of a frame and its exception", read=nothing, outcome=always("collected"))
def keep_in_frame_cycle(view) -> None:
    try:
        raise LookupError
    except LookupError as error:
        cycle = error  # noqa: F841


# Copies, and what holds nothing


def exhaust(view):
    generator = (element for element in [view])
    for _ in generator:
        pass
    return generator


def use_in_pool(view) -> int:
    with ThreadPoolExecutor(1) as pool:  # a worker holds its task for a moment longer than the result takes
        return pool.submit(len, view).result()


def release(view):
    second = memoryview(view)
    second.release()
    return second


copying("bytes", bytes)
copying("bytearray", bytearray)
copying("tobytes", lambda view: view.tobytes())
copying("tolist", lambda view: view.tolist())
copying("array.array", lambda view: array.array("d", view.tobytes()))
copying("copy of an array", np.array)
copying("sum", lambda view: np.asarray(view) + 1)
copying("pickle", lambda view: pickle.dumps(np.asarray(view), protocol=5))
copying("BytesIO", io.BytesIO)
copying("buffered stream", lambda view: written(lambda stream: stream.write(view), io.BufferedRandom(io.BytesIO())))
copying("np.save", lambda view: written(lambda stream: np.save(stream, np.asarray(view)), KeepingStream()))
copying("np.savez", lambda view: written(lambda stream: np.savez(stream, np.asarray(view)), KeepingStream()))
copying("address", lambda view: np.asarray(view).ctypes.data)
copying("weak reference", weakref.ref)
copying("exhausted generator", exhaust)
copying("finished thread pool", use_in_pool)
copying("released memoryview", release)
copying("released argument", lambda view: view.release())


# What the tests ask

kept: dict[str, object] = {}
expected: dict[str, object] = {}


def names() -> list[str]:
    return list(ways)


def outcome(name: str, read_only: bool, dimensions: int) -> str:
    return ways[name].outcome(types.SimpleNamespace(readonly=read_only, ndim=dimensions))


def keep(view, name: str) -> None:
    how = ways[name]
    if how.read is not nothing:  # what the same way shows of Python's own memory, if it has the same elements
        own = np.arange(1, view.nbytes // view.itemsize + 1, dtype=view.format).reshape(view.shape)
        expected[name] = np.array(how.read(how.keep(memoryview(own))))
    kept[name] = how.keep(view)


choice: list[str] = []


def choose(name: str) -> None:
    choice[:] = [name]


def keep_by_choice(view) -> None:
    keep(view, choice[0])


def seen_of(name: str):
    return ways[name].read(kept[name]) if name in kept else None


def difference(name: str, read_only: bool) -> str:
    """What is wrong with what can be seen of the kept memory; nothing when it is as it should be."""
    seen = seen_of(name)
    if seen is None:
        return ""
    if read_only and np.asarray(seen).flags.writeable:
        return "read-only memory can be written to"
    return "" if np.array_equal(seen, expected[name]) else f"{np.asarray(seen)} is not what was lent"


def new_view(name: str) -> str:
    """What comes of a new view of the kept memory's exporter; nothing when no exporter can be reached."""
    owner = kept[name] if name == "exporter" else seen_of(name)
    while owner is not None and type(owner).__name__ != "Memory":
        if isinstance(owner, memoryview):
            owner = owner.obj
        else:
            owner = owner._objects["ffffffff"] if isinstance(owner, ctypes.Array) else owner.base
    if owner is None:
        return ""
    try:
        return type(memoryview(owner)).__name__
    except BufferError:
        return "BufferError"


def negate_first(name: str) -> bool:
    """Writes to the element that is seen first, if it is seen as what it is and may be written to."""
    seen = seen_of(name)
    if seen is None or np.asarray(seen).dtype != np.float64 or not np.asarray(seen).flags.writeable:
        return False
    np.asarray(seen).flat[0] *= -1
    return True


def drop(name: str) -> None:
    expected.pop(name, None)
    ways[name].drop(kept.pop(name, None))


def collect() -> None:
    gc.collect()
