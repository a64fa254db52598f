"""The indices of the samples that lie far from the mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import indices_array, omits_nan, samples_array, sequence_array, threshold_value
from ._moments import BLOCK, centre_block, moments_of, scratch
from ._progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    import numpy.typing as npt

    from ._arguments import AnyBuffer

    Report = Callable[[int, int], object]
    Block = tuple[int, npt.NDArray[np.intp]]
    IndexBuffer = TypeVar("IndexBuffer", bound=AnyBuffer)


def detect(
    data: Sequence[float] | AnyBuffer,
    threshold: float = 2.0,
    *,
    nan: str = "raise",
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
    progress : callable, optional
        As for `detect_allocating`.

    Returns
    -------
    list[int]
        Indices, ascending.

    Raises
    ------
    TypeError
        If an item is not a real number, or of a type that is not accepted, or `progress` cannot
        be called.
    ValueError
        If `data` is not one-dimensional, a sample is not finite and `nan` is ``"raise"``, or
        `threshold` or `nan` is out of its range.

    See Also
    --------
    detect_into : The same between two buffers, with nothing allocated for the result.
    detect_allocating : The same with the result in memory that is asked for.
    """
    found = detect_allocating(
        sequence_array(data), _empty_indices, threshold=threshold, nan=nan, progress=progress
    )
    return [int(index) for index in found.tolist()]


def detect_into(
    samples: AnyBuffer,
    indices: AnyBuffer,
    *,
    threshold: float = 2.0,
    nan: str = "raise",
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
    progress : callable, optional
        Called with two integers about once per million samples: how many have been gone through,
        and how many that will be. There are two passes, and a third one where squares overflow.
        The first number ascends; both are the same in the last call, when all is done. What it
        raises ends the detection and comes back.

    Returns
    -------
    int
        How many indices were written, ascending, from the first element of `indices` on.

    Raises
    ------
    TypeError
        If a buffer's elements are of a type that is not accepted, or it is no buffer at all, or
        `progress` cannot be called.
    ValueError
        If a buffer is not one-dimensional, `indices` is read-only, overlaps `samples` or is too
        small (its contents are then unspecified), a sample is not finite and `nan` is
        ``"raise"``, or `threshold` or `nan` is out of its range.

    Notes
    -----
    The test is ``abs(x - mean) > threshold * std``, in float64, with the population's standard
    deviation (ddof=0). Finite samples whose squares overflow have an infinite deviation, hence
    no outliers. Memory beyond the two buffers is constant: about 600 KiB for each thread.
    """
    source = samples_array(samples)
    target = indices_array(indices, source)
    threshold, omit = threshold_value(threshold), omits_nan(nan)
    told = None if progress is None else Progress(progress, 2 * source.size)
    # Overflow has a defined result here; it must neither print a warning nor raise.
    with np.errstate(all="ignore"):
        limits = _limits(source, threshold, omit, told)
        found = _write(_outliers(source, *limits, told), target)
    if found > target.size:
        raise ValueError(f"indices is too small: {found} needed, it holds {target.size}")
    if told is not None:
        told.finish()
    return found


def detect_allocating(
    samples: AnyBuffer,
    allocate: Callable[[int], IndexBuffer],
    *,
    threshold: float = 2.0,
    nan: str = "raise",
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
    progress : callable, optional
        As for `detect_into`. The second number grows when a further pass turns out to be needed,
        as for more than 65 536 outliers.

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
    Beyond the two buffers memory is constant: about 1.1 MiB for each thread. More than 65 536
    outliers are searched for twice, once to count them and once to write them.
    """
    source = samples_array(samples)
    threshold, omit = threshold_value(threshold), omits_nan(nan)
    told = None if progress is None else Progress(progress, 2 * source.size)
    with np.errstate(all="ignore"):
        limits = _limits(source, threshold, omit, told)
        count, found = _count(_outliers(source, *limits, told))
    buffer = allocate(count)
    target = indices_array(buffer, source)
    if target.size != count:
        raise ValueError(f"allocate({count}) returned a buffer of {target.size}")
    if found is not None:
        target[:] = found
    else:
        if told is not None:
            told.add_pass(source.size)
        with np.errstate(all="ignore"):
            written = _write(_outliers(source, *limits, told), target)
        if written != count:
            raise RuntimeError(f"the samples changed meanwhile: {count} outliers, then {written}")
    if told is not None:
        told.finish()
    return buffer


def _empty_indices(count: int) -> npt.NDArray[np.int64]:
    return np.empty(count, np.int64)


def _limits(
    samples: npt.NDArray[Any], threshold: float, omit: bool, told: Progress | None
) -> tuple[float, float, bool]:
    """Return the mean, how far from it samples may lie, and whether some are not finite."""
    mean, deviation, count = moments_of(samples, omit, told)
    # No sample is further than infinity from anywhere.
    limit = threshold * deviation if count else math.inf
    return mean, limit, count < samples.size


def _outliers(
    samples: npt.NDArray[Any],
    mean: float,
    limit: float,
    some_omitted: bool,
    told: Progress | None,
) -> Iterator[Block]:
    """Yield where each block starts, and the positions of the outliers in it."""
    values, mask = scratch.values, scratch.mask
    size = samples.size
    for start in range(0, size, BLOCK) if told is None else told.starts(size, BLOCK):
        block = samples[start : start + BLOCK]
        distances, outlying = values[: block.size], mask[: block.size]
        centre_block(block, mean, distances)
        np.absolute(distances, distances)
        np.greater(distances, limit, outlying)
        if some_omitted:
            # NaN compares false by itself, infinity does not.
            outlying &= np.isfinite(block)
        yield start, outlying.nonzero()[0]


def _count(blocks: Iterable[Block]) -> tuple[int, npt.NDArray[np.int64] | None]:
    """Count the outliers; return their indices as well if they are no more than a block."""
    count = 0
    spare = scratch.spare
    found = spare.pop() if spare else np.empty(BLOCK, np.int64)
    try:
        for start, local in blocks:
            end = count + local.size
            if count < end <= BLOCK:
                np.add(local, start, found[count:end])
            count = end
        # A copy of the few: `allocate` may detect something itself.
        return count, found[:count].copy() if count <= BLOCK else None
    finally:
        spare.append(found)


def _write(blocks: Iterable[Block], indices: npt.NDArray[np.int64]) -> int:
    """Write what fits; return how many there are, which may be more."""
    found, room = 0, indices.size
    for start, local in blocks:
        end = found + local.size
        if found < end <= room:
            np.add(local, start, indices[found:end])
        found = end
    return found
