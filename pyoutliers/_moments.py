"""The mean and the standard deviation of a buffer, block by block."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import omits_nan, samples_array, threads_count
from ._jobs import do_all
from ._passes import go_through
from ._scratch import BLOCK, PART

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from ._arguments import AnyBuffer
    from ._jobs import Job
    from ._progress import Progress
    from ._scratch import Scratch
    from ._zones import ZoneMap

    # Count, mean and sum of squared deviations.
    Moments = tuple[int, float, float]

# The samples of a dot product. OpenBLAS would spread one of more than 10 000 over threads of its
# own, which makes the sum depend on their number, and gets in the way of a caller that has threads
# already. A short one rounds less, too: its kernels add up 16 sums or more side by side.
_ROW = 8192

# Those of a row that einsum adds up, and of one of the products that matmul makes in one call.
_LINE = 512

# The samples of a block of this pass. It has lines enough for matmul to let go of the GIL, which it
# does for more than 500, and its 2 MiB are in some cache when they are looked at again: in the
# second level, or in the third, which is as quick as numpy here. Half of it takes up to a tenth
# longer.
_BLOCK = 4 * BLOCK

# How many blocks a thread goes through before anything is made of what came out: numpy's calls for
# small arrays take as long for one block as for all of them, and keep the GIL from other threads.
# One thread by itself goes through twice as many.
_BLOCKS = 2

# Up to how many samples are gone through at once each time they are looked at, instead of block by
# block. While their 8 MiB are in the third-level cache, the three passes over a million took a
# sixth to a third less so; while others take it away, no less.
_CACHED = 2 * _BLOCKS * _BLOCK

# From how many cached samples on threads share the sums, the squares and the extremes: this takes a
# tenth off the time for a million. For fewer, or without extremes, a thread takes as long to start
# as it saves; and to share the samples themselves takes longer than one thread.
_SHARED = 750_000

# How many samples tell whether the others need a shift, and whether it is likely to pay to note
# extremes.
_PROBE = 256

# How many times the sum of squares may exceed the sum of squared deviations that is computed from
# it. The difference loses as many digits as the quotient has: with 8, three bits of 53, beside the
# some eight bits that a row's sums may have lost in the worst case, and two or three in most.
_CONDITION = 8.0

_FLOAT64 = np.dtype(np.float64)
_ONES = np.ones(_ROW)


def moments(samples: AnyBuffer, *, nan: str = "raise", threads: int = 1) -> tuple[float, float]:
    """Return the mean and the population standard deviation that `detect_into` uses.

    Parameters
    ----------
    samples : buffer
        One dimension of float16, float32, float64 or integers in native byte order.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.
    threads : int
        As for `detect_into`.

    Returns
    -------
    tuple[float, float]
        Mean and standard deviation (ddof=0); both NaN if there is nothing to average.

    Raises
    ------
    TypeError
        If the samples are of a type that is not accepted, or `threads` is not an integer.
    ValueError
        If they are not one-dimensional, one is not finite and `nan` is ``"raise"``, or `nan` or
        `threads` is out of its range.

    Notes
    -----
    Finite samples may be too large for their squares: the deviation is then infinity.
    """
    mean, deviation, _ = moments_of(
        samples_array(samples), omits_nan(nan), threads=threads_count(threads)
    )
    return mean, deviation


def moments_of(
    samples: npt.NDArray[Any],
    omit: bool,
    *,
    threads: int = 1,
    progress: Progress | None = None,
    zones: ZoneMap | None = None,
) -> tuple[float, float, int]:
    """Compute the moments of a checked array.

    Parameters
    ----------
    samples : numpy.ndarray
        What `samples_array` returned.
    omit : bool
        Whether to leave out samples that are not finite, instead of raising.
    threads : int
        How many threads to work on.
    progress : Progress, optional
        What counts with one pass, and is told of it.
    zones : ZoneMap, optional
        What takes notes of blocks.

    Returns
    -------
    tuple[float, float, int]
        Mean, population standard deviation, and how many samples they describe.

    Raises
    ------
    ValueError
        If a sample is not finite and `omit` is false.

    Notes
    -----
    A block's moments come from its sum and its sum of squares, as long as the mean is not far from
    zero beside the deviation. Otherwise every sample is shifted by the first finite one: constant
    data then deviates by exactly zero, and a spread that is small beside the mean keeps its digits.
    Where that is not enough, squares are those of the deviations from the block's own mean. Blocks
    are merged pairwise [1]_, in the same order on any number of threads.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance:
       analysis and recommendations", The American Statistician 37 (3), 1983, pp. 242-247.
    """
    size = samples.size
    if not size:
        return math.nan, math.nan, 0
    in_place = _is_contiguous(samples)
    # This is all there is to do for few; of more, the first ones tell what will do.
    few = size <= (PART if in_place else _ROW)
    probe = samples if few else samples[:_PROBE]
    probe = probe if in_place else probe.astype(np.float64)
    count, mean, squares = _raw_moments(probe)
    conditioned = math.isfinite(squares)
    if conditioned and count == size:
        if progress is not None:
            progress.add(size)
            progress.tell_in_time()
        return mean, math.sqrt(squares / count), count
    if conditioned and zones is not None:
        zones.expect(probe, mean, math.sqrt(squares / count), _BLOCK)
    shift = 0.0 if conditioned else _first_finite(samples)
    merged = _Merged()
    is_cached = in_place and not shift and size <= _CACHED
    at_once = 2 * _BLOCKS if is_cached else 1
    # Threads share what there is to do with samples that are cached, and otherwise the samples.
    on_jobs, on_samples = (threads, 1) if is_cached else (1, threads)
    stretch = (_BLOCKS if on_samples > 1 else 2 * _BLOCKS) * _BLOCK

    def work(start: int, scratch: Scratch) -> list[Moments]:
        values = samples[start : start + stretch]
        if in_place and not shift and not few:
            return _contiguous_moments(values, start, omit, scratch, zones, at_once, on_jobs)
        found: list[Moments] = []
        for begin in range(0, values.size, _BLOCK):
            block = values[begin : begin + _BLOCK]
            moments = _raw_moments(block) if in_place and not shift else None
            if moments is None or not math.isfinite(moments[2]):
                moments = _careful_moments(block, start + begin, shift, omit, scratch)
            found.append(moments)
            count, mean, squares = moments
            if zones is None or count < block.size:
                continue
            if zones.plan(start + begin, _BLOCK, 1)[0]:
                zones.note(start + begin, block)
                deviation = math.sqrt(squares / count)
                zones.judge(start + begin, _BLOCK, 1, shift + mean, deviation)
        return found

    if few and math.isnan(squares):
        # Nothing overflows where the sum of squares does not.
        go_through(size, work, merged.add, block=stretch, progress=progress)
    else:
        # Overflow has a defined result here; it must neither print a warning nor raise.
        with np.errstate(all="ignore"):
            go_through(
                size,
                work,
                merged.add,
                block=stretch,
                threads=on_samples,
                calls_are_long=in_place and not shift,
                progress=progress,
            )
    count, mean, squares = merged.moments
    if not count:
        return math.nan, math.nan, 0
    if not math.isfinite(squares):
        return _mean_of_huge(samples, count, threads, progress), math.inf, count
    return shift + mean, math.sqrt(squares / count), count


class _Merged:
    """The moments of all blocks so far."""

    def __init__(self) -> None:
        self.moments: Moments = 0, 0.0, 0.0

    def add(self, _: int, blocks: list[Moments]) -> None:
        for added, added_mean, added_squares in blocks:
            if not added:
                continue
            count, mean, squares = self.moments
            total = count + added
            apart = added_mean - mean
            mean += apart * (added / total)
            squares += added_squares + apart * apart * count * (added / total)
            self.moments = total, mean, squares


def _contiguous_moments(
    values: npt.NDArray[np.float64],
    start: int,
    omit: bool,
    scratch: Scratch,
    zones: ZoneMap | None,
    at_once: int,
    threads: int,
) -> list[Moments]:
    """Return the moments of each block of many contiguous values, and note what can be.

    So many blocks at once are gone through for one thing and then for the next.
    """
    found: list[Moments] = []
    blocks = -(-values.size // _BLOCK)
    while len(found) < blocks:
        first = len(found)
        noted, count = False, blocks - first
        if zones is not None:
            noted, count = zones.plan(start + first * _BLOCK, _BLOCK, count)
        some = values[first * _BLOCK : (first + count) * _BLOCK]
        sums = _block_sums(some, start + first * _BLOCK, zones if noted else None, at_once, threads)
        left = some.size
        for total, raw in zip(*sums):
            moments = _moments_of_sums(min(left, _BLOCK), total, raw)
            if not math.isfinite(moments[2]):
                begin = some.size - left
                moments = _careful_moments(
                    some[begin : begin + _BLOCK], start + first * _BLOCK + begin, 0.0, omit, scratch
                )
            found.append(moments)
            left -= _BLOCK
        taken, mean, squares = found[-1]
        if zones is not None and noted and taken:
            zones.judge(start + first * _BLOCK, _BLOCK, count, mean, math.sqrt(squares / taken))
    return found


def _block_sums(
    values: npt.NDArray[np.float64], start: int, zones: ZoneMap | None, at_once: int, threads: int
) -> list[list[float]]:
    """Return the sums and the sums of squares of each block, and note it while it is cached.

    What is behind the last whole block goes with it: by itself matmul would not let go of the GIL.
    """
    count = values.size // _LINE
    lines = values[: count * _LINE].reshape(count, _LINE)
    rows, columns = lines[:, np.newaxis], lines[:, :, np.newaxis]
    sums = np.empty((2, count))
    squares = sums[1, :, np.newaxis, np.newaxis]
    each = _BLOCK // _LINE
    whole = count // each
    for number in range(0, max(whole, 1), at_once):
        after = number + at_once
        begin, end = number * each, after * each if after < whole else count
        jobs: list[Job] = [
            partial(np.einsum, "ij->i", lines[begin:end], out=sums[0, begin:end]),
            partial(np.matmul, rows[begin:end], columns[begin:end], squares[begin:end]),
        ]
        if zones is not None:
            last = end * _LINE if end < count else values.size
            block = values[begin * _LINE : last]
            jobs.append(partial(zones.note, start + number * _BLOCK, block))
        do_all(jobs, threads if zones is not None and values.size >= _SHARED else 1)
    added: list[list[float]] = [[], []]
    if count:
        added = np.add.reduceat(sums, np.arange(0, count, each), axis=1).tolist()
    if count * _LINE < values.size:
        more = _sums(values[count * _LINE :])
        for of_blocks, of_few in zip(added, more):
            if count % each:
                of_blocks[-1] += of_few
            else:
                of_blocks.append(of_few)
    return added


def _raw_moments(values: npt.NDArray[np.float64]) -> Moments:
    """Return the moments of contiguous values.

    The squares are NaN where they would lose digits, infinity if they overflow or one is no number.
    """
    if not values.size:
        return 0, 0.0, 0.0
    return _moments_of_sums(values.size, *_sums(values))


def _moments_of_sums(count: int, total: float, raw: float) -> Moments:
    """Return the moments of so many values with this sum and this sum of squares."""
    mean = total / count
    squares = raw - mean * total
    if not raw <= _CONDITION * squares < math.inf:
        squares = math.nan if raw < math.inf else math.inf
    return count, mean, squares


def _sums(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the sum and the sum of squares of few contiguous values.

    Unlike dot and matmul, vdot does not look for overflow, so nothing has to keep numpy from
    warning, which would take longer than the product.
    """
    total = squares = 0.0
    for start in range(0, values.size, _ROW):
        row = values[start : start + _ROW]
        total += float(np.vdot(row, _ONES[: row.size]))
        squares += float(np.vdot(row, row))
    return total, squares


def _careful_moments(
    block: npt.NDArray[Any], start: int, shift: float, omit: bool, scratch: Scratch
) -> Moments:
    """Return the moments of a shifted block, whatever is in it."""
    if block.size <= PART:
        return _part_moments(block, start, shift, omit, scratch)
    merged = _Merged()
    for begin in range(0, block.size, PART):
        part = block[begin : begin + PART]
        merged.add(start, [_part_moments(part, start + begin, shift, omit, scratch)])
    return merged.moments


def _part_moments(
    part: npt.NDArray[Any], start: int, shift: float, omit: bool, scratch: Scratch
) -> Moments:
    """Return the moments of a part of a shifted block, whatever is in it."""
    values = scratch.values[: part.size]
    if shift or not _is_contiguous(part):
        _centre(part, shift, values)
        shifted = values
    else:
        shifted = part
    count, mean, squares = _raw_moments(shifted)
    # A mean that is finite proves that every sample is, so clean data pays for no search.
    if not math.isfinite(mean):
        finite = np.isfinite(part)
        if not (omit or finite.all()):
            refuse(part, start, int(finite.argmin()))
        shifted = shifted[finite]
        count, mean, squares = _raw_moments(shifted)
    if not math.isfinite(squares):
        centred = values[:count]
        np.subtract(shifted, mean, centred)
        total, squares = _sums(centred)
        # The mean was rounded, so a little is left of it.
        mean += total / count
        squares = max(squares - total * (total / count), 0.0)
    return count, mean, squares


def _is_contiguous(samples: npt.NDArray[Any]) -> bool:
    """Tell whether these are float64 side by side, as a dot product takes them at its speed."""
    return samples.dtype is _FLOAT64 and samples.flags.c_contiguous and samples.flags.aligned


def _centre(block: npt.NDArray[Any], centre: float, values: npt.NDArray[np.float64]) -> None:
    """Write ``block - centre`` into `values`, in float64 whatever the block's type."""
    if block.dtype is _FLOAT64:
        np.subtract(block, centre, values)
    else:
        # Converting first keeps float32 and float16 from being subtracted in their own precision.
        np.copyto(values, block)
        np.subtract(values, centre, values)


def refuse(block: npt.NDArray[Any], start: int, position: int) -> None:
    """Raise the error for a sample that is not finite.

    Parameters
    ----------
    block : numpy.ndarray
        Part of the samples.
    start : int
        Where it starts.
    position : int
        Where in it the sample is.

    Raises
    ------
    ValueError
        Always.
    """
    sample = float(block.item(position))
    kind = "NaN" if math.isnan(sample) else "infinity" if sample > 0 else "-infinity"
    raise ValueError(
        f"samples[{start + position}] is {kind}: use nan='omit' to leave such samples out"
    )


def _first_finite(samples: npt.NDArray[Any]) -> float:
    """Return the first finite sample, or zero if there is none."""
    for start in range(0, samples.size, BLOCK):
        first = float(samples.item(start))
        if math.isfinite(first):
            return first
        block = samples[start : start + BLOCK]
        finite = np.isfinite(block)
        if finite.any():
            return float(block.item(int(finite.argmax())))
    return 0.0


def _mean_of_huge(
    samples: npt.NDArray[Any], count: int, threads: int, progress: Progress | None
) -> float:
    """Average finite samples whose sum or squares overflow: divide first, add later."""
    mean = 0.0
    if progress is not None:
        progress.add_pass()

    def work(start: int, scratch: Scratch) -> float:
        block = samples[start : start + BLOCK]
        return float(np.add.reduce(block[np.isfinite(block)] / count, dtype=np.float64))

    def take(_: int, part: float) -> None:
        nonlocal mean
        mean += part

    with np.errstate(all="ignore"):
        go_through(samples.size, work, take, block=BLOCK, threads=threads, progress=progress)
    return mean
