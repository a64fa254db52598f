"""The indices of the samples that lie far from the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arguments import (
    indices_array,
    omits_nan,
    samples_array,
    sequence_array,
    threads_count,
    threshold_value,
)
from ._moments import moments_of
from ._progress import Progress
from ._results import Remembered, Written
from ._scratch import BLOCK
from ._search import Search
from ._zones import ZoneMap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    import numpy.typing as npt

    from ._arguments import AnyBuffer

    Report = Callable[[int, int], object]
    IndexBuffer = TypeVar("IndexBuffer", bound=AnyBuffer)


# Of so few samples extremes do not pay. To search all takes as long for 100 000, a fifth less for
# 50 000, and a tenth more for 200 000.
_FEW = 2 * BLOCK


def detect(
    data: Sequence[float] | AnyBuffer,
    threshold: float = 2.0,
    *,
    nan: str = "raise",
    threads: int = 1,
    progress: Report | None = None,
) -> list[int]:
    """Return the indices of the outliers in a sequence or an array.

    Parameters
    ----------
    data : sequence or array
        One dimension of real numbers: a list, a tuple, a range, an array, any buffer.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.
    threads : int
        As for `detect_into`.
    progress : callable, optional
        As for `detect_allocating`.

    Returns
    -------
    list[int]
        Indices, ascending.

    Raises
    ------
    TypeError
        If an item is not a real number, or of a type that is not accepted, `threads` is not an
        integer, or `progress` cannot be called.
    ValueError
        If `data` is not one-dimensional, a sample is not finite and `nan` is ``"raise"``, or
        `threshold`, `nan` or `threads` is out of its range.

    See Also
    --------
    detect_into : The same between two buffers, with nothing allocated for the result.
    detect_allocating : The same with the result in memory that is asked for.
    """
    found = detect_allocating(
        sequence_array(data),
        _empty_indices,
        threshold=threshold,
        nan=nan,
        threads=threads,
        progress=progress,
    )
    indices: list[int] = found.tolist()
    return indices


def detect_into(
    samples: AnyBuffer,
    indices: AnyBuffer,
    *,
    threshold: float = 2.0,
    nan: str = "raise",
    threads: int = 1,
    progress: Report | None = None,
) -> int:
    """Write the indices of the outliers among `samples` into `indices`.

    Parameters
    ----------
    samples : buffer
        One dimension of float16, float32, float64 or integers in native byte order; may be
        read-only and strided. It is only read, and never copied as a whole.
    indices : buffer
        One dimension of writable int64, other memory than `samples`. By Chebyshev's inequality,
        fewer than n / threshold**2 of n samples are outliers.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out of the moments and of the result.
    threads : int
        How many threads to work on, at most. In the first pass several work on contiguous float64
        whose mean is no further from zero than 2.6 deviations, in the second on float16, at most
        one for each half a million samples. With others it is one, since two would take longer. The
        result does not depend on it.
        All have ended their work when the call returns; those that were started wait for 5 ms
        whether another call has more for them, and know of nothing until then.
    progress : callable, optional
        Called with two integers about once per million samples, or twice after two: how many have
        been gone through, and how many that will be. There are two passes, and a third one where
        squares overflow. The first number ascends; both are the same in the last call, when all is
        done. It is called on the thread that detects; what it raises ends the detection and comes
        back.

    Returns
    -------
    int
        How many indices were written, ascending, from the first element of `indices` on.

    Raises
    ------
    TypeError
        If a buffer's elements are of a type that is not accepted, or it is no buffer at all,
        `threads` is not an integer, or `progress` cannot be called.
    ValueError
        If a buffer is not one-dimensional, `indices` is read-only, overlaps `samples` or is too
        small (its contents are then unspecified), a sample is not finite and `nan` is
        ``"raise"``, or `threshold`, `nan` or `threads` is out of its range.

    Notes
    -----
    The test is ``abs(x - mean) > threshold * std``, in float64, with the population's standard
    deviation (ddof=0). Finite samples whose squares overflow have an infinite deviation, hence
    no outliers. No sample is subtracted for it: rounding keeps order, so two bounds tell the same
    samples apart. Of many samples, most stretches of 8192 whose extremes are no outliers are read
    only once; not those of float16, nor with what is left out or where most have outliers.
    Memory beyond the two buffers is about 500 KiB for each thread, 512 KiB more for a block in
    which all are outliers, and two numbers for each stretch.
    """
    source = samples_array(samples)
    target = indices_array(indices, source)
    options = threshold_value(threshold), omits_nan(nan), threads_count(threads)
    told = None if progress is None else Progress(progress, source.size)
    search = _search(source, *options, told)
    written = Written(target)
    search.run(written.add, threads, told)
    if written.count > target.size:
        raise ValueError(f"indices is too small: {written.count} needed, it holds {target.size}")
    if told is not None:
        told.finish()
    return written.count


def detect_allocating(
    samples: AnyBuffer,
    allocate: Callable[[int], IndexBuffer],
    *,
    threshold: float = 2.0,
    nan: str = "raise",
    threads: int = 1,
    progress: Report | None = None,
) -> IndexBuffer:
    """Write the indices of the outliers into memory that is asked for when their number is known.

    Parameters
    ----------
    samples : buffer
        As for `detect_into`.
    allocate : callable
        Called once with the number of outliers. Returns a writable buffer of that many int64,
        one-dimensional and other memory than `samples`.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out of the moments and of the result.
    threads : int
        As for `detect_into`.
    progress : callable, optional
        As for `detect_into`. The second number grows when a further pass turns out to be needed,
        as for more than half a million outliers.

    Returns
    -------
    buffer
        What `allocate` returned, holding the indices, ascending.

    Raises
    ------
    TypeError
        As `detect_into`, and if `allocate` returns no buffer of int64.
    ValueError
        As `detect_into`, and if `allocate` returns a buffer of another size.
    RuntimeError
        If somebody changes the samples meanwhile.

    Notes
    -----
    Beyond the two buffers memory is that of `detect_into` and at most 1 MiB to remember the
    outliers, two bytes for each. More than about half a million are searched for twice, once to
    count them and once to write them.
    """
    source = samples_array(samples)
    options = threshold_value(threshold), omits_nan(nan), threads_count(threads)
    told = None if progress is None else Progress(progress, source.size)
    search = _search(source, *options, told)
    found = Remembered()
    search.run(found.add, threads, told)
    buffer = allocate(found.count)
    target = indices_array(buffer, source)
    if target.size != found.count:
        raise ValueError(f"allocate({found.count}) returned a buffer of {target.size}")
    written = Written(target)
    if found.blocks is not None:
        for start, positions in found.blocks:
            written.add(start, positions)
    else:
        if told is not None:
            told.add_pass()
        search.run(written.add, threads, told)
        if written.count != found.count:
            raise RuntimeError(
                f"the samples changed meanwhile: {found.count} outliers, then {written.count}"
            )
    if told is not None:
        told.finish()
    return buffer


def _empty_indices(count: int) -> npt.NDArray[np.int64]:
    return np.empty(count, np.int64)


def _search(
    samples: npt.NDArray[Any], threshold: float, omit: bool, threads: int, told: Progress | None
) -> Search:
    zones = ZoneMap(samples, threshold) if samples.size > _FEW else None
    moments = moments_of(samples, omit, threads=threads, progress=told, zones=zones)
    return Search(samples, *moments, threshold, zones)
