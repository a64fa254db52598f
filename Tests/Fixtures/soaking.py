"""Functions of samples and indices that are called over and over: some leave something behind."""

import ctypes
import os

C = ctypes.CDLL(None)
C.malloc.restype = ctypes.c_void_p
C.malloc.argtypes = [ctypes.c_size_t]
C.free.argtypes = [ctypes.c_void_p]

kept: list = []


def clean(samples, indices) -> None:
    indices[0] = len(bytes(4096)) + len(samples)


def leak_in_python(samples, indices) -> None:
    kept.append(bytes(67))  # 100 bytes with its header


def leak_in_c(samples, indices) -> None:
    ctypes.memset(C.malloc(100), 1, 100)


def leak_descriptors(samples, indices) -> None:
    kept.append(os.open("/dev/null", os.O_RDONLY))


def leak_views(samples, indices) -> None:
    kept.append(memoryview(samples))


def fill_a_cache(samples, indices) -> None:
    """Grow for the first thousand calls, and never again."""
    if len(kept) < 1000:
        kept.append(bytearray(b"x" * 4096))


def retain(samples, indices) -> None:
    """Free ever more memory, under a block that keeps the heap from giving it back."""
    kept.append(None)
    blocks = [C.malloc(1000) for _ in range(2 * len(kept))]
    for block in blocks:
        ctypes.memset(block, 1, 1000)
    pins.append(C.malloc(1000))
    for block in blocks:
        C.free(block)
    if len(pins) > 1:
        C.free(pins.pop(0))


pins: list = []


def fail_late(samples, indices) -> None:
    kept.append(None)
    if len(kept) == 5:
        raise ValueError("the fifth call\nis too much")


not_callable = 1
