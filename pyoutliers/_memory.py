"""What a Python process holds, for the program's measurements of it."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import ClassVar


class _MallocInformation(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


# Once: each reading would otherwise leave garbage behind, which is what it counts.
_C = ctypes.CDLL(None)
_C.mallinfo2.restype = _MallocInformation


def allocated() -> list[int]:
    """Count the blocks of Python's allocator, and the bytes that malloc has handed out.

    Returns
    -------
    list of int
        `sys.getallocatedblocks`, and of glibc's mallinfo2 ``uordblks + hblkhd``.
    """
    heap = _C.mallinfo2()
    return [sys.getallocatedblocks(), heap.uordblks + heap.hblkhd]


def trim() -> None:
    """Collect garbage, and give malloc's free memory back to the system."""
    gc.collect()
    _C.malloc_trim(0)
