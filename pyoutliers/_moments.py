"""The mean and the standard deviation of a buffer, block by block."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import omits_nan, samples_array

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from ._arguments import AnyBuffer
    from ._progress import Progress

# A block has to be large enough to pay for some ten numpy calls and small enough for its scratch
# to stay in the cache. On one thread 2 Ki and 4 Ki samples were slower by a factor of 1.8 and 1.3,
# and all from 8 Ki up agree within 15 %. Two threads at once need more: numpy lets go of the GIL
# for one operation on one block, and another thread takes some 6 microseconds to wake up and take
# it. With 8 Ki two detections took longer at once than one after the other (1.4 times), from 32 Ki
# up two thirds of that time.
BLOCK = 65_536

_FLOAT64 = np.dtype(np.float64)


class Scratch(threading.local):
    """One block of working memory for each thread.

    numpy lets other threads run inside its loops, so threads must not share it; and it is kept
    from call to call because a fresh block would cost a small call an allocation and a large one
    a page fault for each of its pages.

    Attributes
    ----------
    values : numpy.ndarray
        `BLOCK` float64.
    mask : numpy.ndarray
        `BLOCK` bool.
    spare : list of numpy.ndarray
        `BLOCK` int64 each. A detection takes one out while it has a use for it, since it may tell
        its progress to something that detects itself; of the others nothing lasts from block to
        block.
    """

    def __init__(self) -> None:
        self.values = np.empty(BLOCK, np.float64)
        self.mask = np.empty(BLOCK, np.bool_)
        self.spare: list[npt.NDArray[np.int64]] = []


scratch = Scratch()


def moments(samples: AnyBuffer, *, nan: str = "raise") -> tuple[float, float]:
    """Return the mean and the population standard deviation that `detect_into` uses.

    Parameters
    ----------
    samples : buffer
        One dimension of float16, float32, float64 or integers in native byte order.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.

    Returns
    -------
    tuple[float, float]
        Mean and standard deviation (ddof=0); both NaN if there is nothing to average.

    Raises
    ------
    TypeError
        If the samples are of a type that is not accepted.
    ValueError
        If they are not one-dimensional, or one is not finite and `nan` is ``"raise"``.

    Notes
    -----
    Finite samples may be too large for their squares: the deviation is then infinity.
    """
    array = samples_array(samples)
    omit = omits_nan(nan)
    with np.errstate(all="ignore"):
        mean, deviation, _ = moments_of(array, omit)
    return mean, deviation


def moments_of(
    samples: npt.NDArray[Any], omit: bool, progress: Progress | None = None
) -> tuple[float, float, int]:
    """Compute the moments of a checked array; call it inside ``numpy.errstate``.

    Parameters
    ----------
    samples : numpy.ndarray
        What `samples_array` returned.
    omit : bool
        Whether to leave out samples that are not finite, instead of raising.
    progress : Progress, optional
        What counts with one pass, and is told of it.

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
    Every sample is shifted by the first finite one. Constant data then deviates by exactly zero,
    and a spread that is small beside the mean keeps its digits. Within a block the squares are
    those of the deviations from the block's own mean; blocks are merged pairwise [1]_.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance:
       analysis and recommendations", The American Statistician 37 (3), 1983, pp. 242-247.
    """
    count, mean, squares = 0, 0.0, 0.0
    shift = _first_finite(samples)
    size = samples.size
    for start in range(0, size, BLOCK) if progress is None else progress.starts(size, BLOCK):
        block = samples[start : start + BLOCK]
        added, block_mean, block_squares = _block_moments(block, start, shift, omit)
        if added:
            total = count + added
            apart = block_mean - mean
            mean += apart * (added / total)
            squares += block_squares + apart * apart * count * (added / total)
            count = total
    if not count:
        return math.nan, math.nan, 0
    if not math.isfinite(squares):
        return _mean_of_huge(samples, count, progress), math.inf, count
    return shift + mean, math.sqrt(squares / count), count


def centre_block(block: npt.NDArray[Any], centre: float, values: npt.NDArray[np.float64]) -> None:
    """Write ``block - centre`` into `values`, in float64 whatever the block's type.

    Parameters
    ----------
    block : numpy.ndarray
        Part of the samples.
    centre : float
        What to subtract.
    values : numpy.ndarray
        Scratch of the same length.
    """
    if block.dtype is _FLOAT64:
        np.subtract(block, centre, values)
    else:
        # Converting first keeps float32 and float16 from being subtracted in their own precision.
        np.copyto(values, block)
        np.subtract(values, centre, values)


def _block_moments(
    block: npt.NDArray[Any], start: int, shift: float, omit: bool
) -> tuple[int, float, float]:
    """Count, mean and sum of squared deviations of one shifted block."""
    values = scratch.values[: block.size]
    centre_block(block, shift, values)
    total = float(np.add.reduce(values))
    # A sum that is finite proves that every sample is, so clean data pays for no search.
    if not math.isfinite(total):
        finite = np.isfinite(block)
        if not (omit or finite.all()):
            _refuse(block, start, int(finite.argmin()))
        values = values[finite]
        total = float(np.add.reduce(values))
    if not values.size:
        return 0, 0.0, 0.0
    mean = total / values.size
    np.subtract(values, mean, values)
    # Not np.dot: OpenBLAS would spread it over threads of its own, which makes the sum depend on
    # their number and gets in the way of a caller that has threads already.
    np.multiply(values, values, values)
    return values.size, mean, float(np.add.reduce(values))


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


def _mean_of_huge(samples: npt.NDArray[Any], count: int, progress: Progress | None) -> float:
    """Average finite samples whose sum or squares overflow: divide first, add later."""
    mean, size = 0.0, samples.size
    if progress is not None:
        progress.add_pass(size)
    for start in range(0, size, BLOCK) if progress is None else progress.starts(size, BLOCK):
        block = samples[start : start + BLOCK]
        mean += float(np.add.reduce(block[np.isfinite(block)] / count, dtype=np.float64))
    return mean


def _refuse(block: npt.NDArray[Any], start: int, position: int) -> None:
    sample = float(block.item(position))
    kind = "NaN" if math.isnan(sample) else "infinity" if sample > 0 else "-infinity"
    raise ValueError(
        f"samples[{start + position}] is {kind}: use nan='omit' to leave such samples out"
    )
