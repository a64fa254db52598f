"""Detection in a file that is larger than memory."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from .detection import detect_allocating

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ._arguments import AnyBuffer

    IndexBuffer = TypeVar("IndexBuffer", bound=AnyBuffer)


def detect_mapped(
    samples: AnyBuffer,
    allocate: Callable[[int], IndexBuffer],
    *,
    progress: Callable[[int, int], object],
    **options: float | str,
) -> IndexBuffer:
    """Return what `detect_allocating` does, without keeping the pages of a mapped file.

    Parameters
    ----------
    samples : buffer
        As for `detect_allocating`. The pages of the `mmap` behind a memoryview are given up each
        time before `progress` is called, which can then have them dropped from the page cache.
        The mapping must be shared or read-only: what was written to a private one would be lost.
    allocate : callable
        As for `detect_allocating`.
    progress : callable
        As for `detect_allocating`.
    **options
        As for `detect_allocating`.

    Returns
    -------
    buffer
        What `allocate` returned.
    """
    mapping = samples.obj if isinstance(samples, memoryview) else None

    def report(done: int, total: int) -> None:
        if isinstance(mapping, mmap.mmap):
            mapping.madvise(mmap.MADV_DONTNEED)
        progress(done, total)

    return detect_allocating(samples, allocate, progress=report, **options)
