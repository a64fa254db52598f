"""The mean and the standard deviation of a buffer, block by block."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import omits_nan, samples_array, threads_count
from ._cache import second_level_cache
from ._jobs import do_all
from ._passes import go_through, workers_count
from ._scratch import BLOCK, PART

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy.typing as npt

    from ._arguments import AnyBuffer
    from ._jobs import Job
    from ._progress import Progress
    from ._scratch import Scratch
    from ._zones import Notes, Reductions, ZoneMap

    # Count, mean and sum of squared deviations.
    Moments = tuple[int, float, float]
    Floats = npt.NDArray[np.float64]
    AddUp = Callable[[Floats], tuple[float, float]]

# The samples of a dot product. OpenBLAS would spread one of more than 10 000 over threads of its
# own, which makes the sum depend on their number, and gets in the way of a caller that has threads
# already. A short one rounds less, too: its kernels add up 16 sums or more side by side.
_ROW = 8192

# The samples of a block, which has moments of its own.
_BLOCK = 8 * BLOCK

# Up to how many samples are one block: 1.1 million then take 0.8 of the time on one thread, and up
# to 2 million 0.7 to 0.8 on two.
_WHOLE = 4 * _BLOCK

# Up to how many samples are gone through at once, if at all; a third-level cache may hold them.
_AT_ONCE = 3 * _BLOCK

# A block is gone through span by span: numpy adds each up, squares it and looks for its extremes,
# in a call for each. Where the second-level cache has room for two spans of 1 MiB, the later calls
# find one there: a detection in a million samples took an eighth longer in spans of 2 MiB, and over
# a third at once. With less room numpy waits for the core, and the fewest calls are best: 2 MiB, or
# all that the third level holds. Then two threads wait least for each other, too: one begins with
# the sums, the other with the extremes, and whoever is first has the squares. In spans two took 1.2
# times as long.
_FITS = second_level_cache() >= 2**21

# The samples of a line, for which there is one sum and one product. A span has lines enough for
# numpy to let go of the GIL meanwhile, which it does for more than 500.
_LINES = 512
_LINE = 256 if _FITS else 512
_SPAN = _LINES * _LINE

# Where all is gone through at once, and has as many longer lines, it takes 3 % less in these.
_LONG_LINE = 1024

# Of two threads whose calls end at the same time one waits for the GIL, and the fewer they are the
# less: two took a twentieth longer in spans of 1 MiB, or of 4, than of 2.
_LONG_SPAN = 2**18

# How many samples tell whether the others need a shift, and whether it is likely to pay to note
# extremes.
_PROBE = 256

# How many times the sum of squares may exceed the sum of squared deviations that is computed from
# it. The difference loses as many digits as the quotient has: with 8, three bits of 53, beside the
# some eight bits that a row's sums may have lost in the worst case, and two or three in most.
_CONDITION = 8.0

_FLOAT64 = np.dtype(np.float64)
_ONES = np.ones(_ROW)

# Before numpy 2.0, and more slowly, einsum does the same.
_dots = getattr(
    np, "vecdot", lambda first, second, out: np.einsum("...j,...j->...", first, second, out=out)
)


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
    few = size <= (2 * BLOCK if in_place else _ROW)
    probe = samples if few else samples[:_PROBE]
    probe = probe if in_place else probe.astype(np.float64)
    count, mean, squares = _raw_moments(probe, _sums)
    conditioned = math.isfinite(squares)
    if conditioned and count == size:
        if progress is not None:
            progress.add(size)
            progress.tell_in_time()
        return mean, math.sqrt(squares / count), count
    expect = None
    if conditioned and zones is not None:
        expect = partial(zones.expect, probe, mean, math.sqrt(squares / count), _BLOCK)
    shift = 0.0 if conditioned else _first_finite(samples)
    merged = _Merged()
    is_direct = in_place and not shift and not few
    is_whole = is_direct and size <= _WHOLE
    block = size if is_whole else _BLOCK
    # Threads share a block if it is the only one, and otherwise the blocks. What is converted or
    # shifted takes many short calls: two threads, which wait for the GIL after each, took 1.4 to
    # 1.9 times as long as one.
    workers = max(1, workers_count(size, threads))
    sharing = workers if is_whole else 1
    is_at_once = is_whole and size <= _AT_ONCE and not _FITS
    at_once = None
    if is_at_once:
        line, span = _LONG_LINE if size >= _LINES * _LONG_LINE else _LINE, size
        at_once = None if zones is None else zones.at_once(samples, expect)
    else:
        line, span = _LINE, _SPAN if workers == 1 else _LONG_SPAN
        if expect is not None:
            expect()

    def work(start: int, scratch: Scratch) -> Moments:
        values = samples[start : start + block]
        notes = None if zones is None or is_at_once else zones.begin(start, values)
        if is_direct and values.size >= line:
            reductions = at_once if notes is None else notes.reductions
            sums = _sums_of_lines(values, reductions, line, span, sharing)
            moments = _moments_of_sums(values.size, *_added_up(values, sums, line))
            if not math.isfinite(moments[2]):
                moments = _mended_moments(values, sums, line, start, omit, scratch)
        else:
            moments = _careful_moments(values, start, shift, omit, scratch, notes)
        if notes is not None:
            count, mean, squares = moments
            deviation = math.sqrt(squares / count) if count else math.nan
            notes.finish(shift + mean, deviation)
        return moments

    if size <= _ROW and math.isnan(squares):
        # Nothing overflows where the sum of squares does not.
        go_through(size, work, merged.add, block=block, progress=progress)
    else:
        # Overflow has a defined result here; it must neither print a warning nor raise.
        with np.errstate(all="ignore"):
            go_through(
                size,
                work,
                merged.add,
                block=block,
                threads=threads if is_direct and not is_whole else 1,
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

    def add(self, _: int, moments: Moments) -> None:
        added, added_mean, added_squares = moments
        if not added:
            return
        count, mean, squares = self.moments
        total = count + added
        apart = added_mean - mean
        mean += apart * (added / total)
        squares += added_squares + apart * apart * (count * (added / total))
        self.moments = total, mean, squares


def _sums_of_lines(
    values: Floats, reductions: Reductions | None, line: int, span: int, threads: int
) -> Floats:
    """Return the sum and the sum of squares of each line, and do what goes with each span."""
    count = values.size // line
    lines = values[: count * line].reshape(count, line)
    sums = np.empty((2, count))
    totals, squares = sums
    ones = _ONES[:line]
    jobs: list[Job] = []
    for begin in range(0, values.size, span):
        end = min(begin + span, values.size)
        some = slice(begin // line, end // line)
        part = lines[some]
        jobs.append(partial(_dots, part, ones, totals[some]))
        jobs.append(partial(_dots, part, part, squares[some]))
        if reductions is not None:
            jobs += reductions(begin, end)
    do_all(jobs, threads)
    return sums


def _added_up(values: Floats, sums: Floats, line: int) -> tuple[float, float]:
    """Return the sum and the sum of squares of values by those of their lines."""
    total, raw = np.add.reduce(sums, axis=1).tolist()
    more_total, more_raw = _sums(values[sums.shape[1] * line :])
    return total + more_total, raw + more_raw


def _mended_moments(
    values: Floats, sums: Floats, line: int, start: int, omit: bool, scratch: Scratch
) -> Moments:
    """Return the moments of values whose sums will not do for all, but for some blocks of them."""
    merged = _Merged()
    for begin in range(0, values.size, _BLOCK):
        block = values[begin : begin + _BLOCK]
        some = slice(begin // line, (begin + block.size) // line)
        moments = _moments_of_sums(block.size, *_added_up(block, sums[:, some], line))
        if not math.isfinite(moments[2]):
            moments = _careful_moments(block, start + begin, 0.0, omit, scratch)
        merged.add(start + begin, moments)
    return merged.moments


def _raw_moments(values: npt.NDArray[np.float64], add_up: AddUp) -> Moments:
    """Return the moments of contiguous values.

    The squares are NaN where they would lose digits, infinity if they overflow or one is no number.
    """
    if not values.size:
        return 0, 0.0, 0.0
    return _moments_of_sums(values.size, *add_up(values))


def _moments_of_sums(count: int, total: float, raw: float) -> Moments:
    """Return the moments of so many values with this sum and this sum of squares."""
    mean = total / count
    squares = raw - mean * total
    if not raw <= _CONDITION * squares < math.inf:
        squares = math.nan if raw < math.inf else math.inf
    return count, mean, squares


def _sums(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the sum and the sum of squares of few contiguous values.

    Unlike vecdot, vdot does not look for overflow, so nothing has to keep numpy from warning, which
    would take longer than the product.
    """
    total = squares = 0.0
    for start in range(0, values.size, _ROW):
        row = values[start : start + _ROW]
        total += float(np.vdot(row, _ONES[: row.size]))
        squares += float(np.vdot(row, row))
    return total, squares


def _sums_of_part(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the same in the fewest calls, which may warn."""
    if values.size <= _ROW:
        return _sums(values)
    return _added_up(values, _sums_of_lines(values, None, _LINE, values.size, 1), _LINE)


def _careful_moments(
    block: npt.NDArray[Any],
    start: int,
    shift: float,
    omit: bool,
    scratch: Scratch,
    notes: Notes | None = None,
) -> Moments:
    """Return the moments of a shifted block, whatever is in it, and note its extremes."""
    merged = _Merged()
    for begin in range(0, block.size, _SPAN):
        end = min(begin + _SPAN, block.size)
        for first in range(begin, end, PART):
            part = block[first : first + PART]
            merged.add(start, _part_moments(part, start + first, shift, omit, scratch))
        if notes is not None:
            for reduce in notes.reductions(begin, end):
                reduce()
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
    count, mean, squares = _raw_moments(shifted, _sums_of_part)
    # A mean that is finite proves that every sample is, so clean data pays for no search.
    if not math.isfinite(mean):
        finite = np.isfinite(part)
        if not (omit or finite.all()):
            refuse(part, start, int(finite.argmin()))
        shifted = shifted[finite]
        count, mean, squares = _raw_moments(shifted, _sums_of_part)
    if not math.isfinite(squares):
        centred = values[:count]
        np.subtract(shifted, mean, centred)
        total, squares = _sums_of_part(centred)
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
        if centre:
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
