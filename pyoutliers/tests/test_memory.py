"""What a Python process holds."""

import ctypes

from pyoutliers._memory import allocated, trim

C = ctypes.CDLL(None)
C.malloc.restype = ctypes.c_void_p
C.free.argtypes = [ctypes.c_void_p]


def test_blocks_and_bytes_of_the_heap_are_counted():
    blocks, heap = allocated()
    kept = [object() for _ in range(5000)]
    pointers = [C.malloc(10_000) for _ in range(100)]
    more_blocks, more_heap = allocated()
    assert more_blocks - blocks >= 5000
    assert 1_000_000 <= more_heap - heap < 1_200_000
    for pointer in pointers:
        C.free(pointer)
    assert abs(allocated()[1] - heap) < 200_000
    assert len(kept) == 5000


def test_readings_leave_nothing_behind():
    for _ in range(10):
        allocated()
    before = allocated()[0]
    for _ in range(1000):
        allocated()
    assert abs(allocated()[0] - before) < 100


def test_a_trim_collects_garbage_and_gives_free_heap_back():
    class Node:
        pass

    import weakref

    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    del node
    pointers = [C.malloc(1000) for _ in range(20_000)]
    for pointer in pointers:
        ctypes.memset(pointer, 1, 1000)
    last = C.malloc(1000)
    for pointer in pointers:
        C.free(pointer)
    before = resident()
    trim()
    assert gone() is None
    assert before - resident() > 15_000_000
    C.free(last)


def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Anonymous:"))
