"""Calls that should leave nothing behind."""

import ctypes
import gc
import sys

import numpy as np

kept: list = []


def settle() -> int:
    """How many blocks Python's allocator has handed out, without garbage.

    Nor what the 4096 entries of the cache of types' attributes hold: each the name that it was asked for last, which may be a string of
    its own.
    """
    gc.collect()
    sys._clear_type_cache()
    return sys.getallocatedblocks()


def first_of(samples, indices) -> int:
    if not memoryview(indices).readonly:
        indices[0] = len(samples)
    return len(samples) + len(indices)


def keep_for_now(first, second) -> None:
    kept.append((first, memoryview(second)))


def drop() -> None:
    kept.clear()


def ones(count: int, allocate):
    result = allocate(count)
    for index in range(count):
        result[index] = 1
    return result


def new_array(count: int):
    return np.ones(count)


class MallocInformation(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def allocated_bytes() -> int:
    """How many bytes malloc has handed out; a sanitizer's own malloc counts for itself."""
    gc.collect()
    library = ctypes.CDLL(None)
    try:
        count = library.__sanitizer_get_current_allocated_bytes
    except AttributeError:
        library.mallinfo2.restype = MallocInformation
        information = library.mallinfo2()
        return information.uordblks + information.hblkhd
    count.restype = ctypes.c_size_t
    return count()


class Probe:
    value = 1 << 40

    def method(self) -> int:
        return self.value
