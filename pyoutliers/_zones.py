"""The least and the greatest sample of each zone, which tell whether it has to be searched."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

from ._bounds import EXTREMES

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from ._bounds import Bound

# The samples of a zone: so many that two numbers for each are nothing, and so few that an outlier
# does not have much searched that has none.
ZONE = 8192

# By the type's character, whose hash is known.
_UNSIGNED = {"f": np.dtype(np.uint32), "d": np.dtype(np.uint64)}

# How many blocks are passed over after some that have outliers in most zones, or where the first
# samples make that likely; the first time, and at most. To look for extremes costs a good third of
# a block's first pass, and nothing is gained.
_FIRST_PAUSE, _LONGEST_PAUSE = 4, 16

# With so many outliers in a zone, on average, nearly all zones have some. A few by chance among the
# first samples stand for less.
_LIKELY = 128


class ZoneMap:
    """What the first pass, which has a block in the cache, can tell the second one of it.

    That one leaves out the zones whose extremes are no outliers. Where outliers are rare this is
    nearly all of them, and the samples are read but once. Databases call this a zone map.

    Parameters
    ----------
    samples : numpy.ndarray
        What `samples_array` returned.
    threshold : float
        How many standard deviations away an outlier has to be.
    """

    def __init__(self, samples: npt.NDArray[Any], threshold: float) -> None:
        self._size = samples.size
        dtype = samples.dtype
        # Of a zone that is not noted, anything is true.
        lowest, highest = (-math.inf, math.inf) if dtype.kind == "f" else EXTREMES[dtype]
        self._least, self._greatest = np.empty((2, -(-self._size // ZONE)), dtype)
        self._least.fill(lowest)
        self._greatest.fill(highest)
        self._threshold = threshold
        # Where to go on taking notes, how many blocks to pass over if that one has outliers, and
        # whether the last ones had few. Several threads set them, and nothing is wrong whichever is
        # last.
        self._next = 0
        self._pause = _FIRST_PAUSE
        self._is_calm = False
        # Whether to see first if no sample has a minus sign, and none below zero can be an outlier.
        # Without one, floats are ordered as their bits are as unsigned integers; with one, these
        # are greater. So the greatest of them tells both, and the least does not matter.
        self._is_from_zero = False
        unsigned = _UNSIGNED.get(dtype.char)
        self._bits = None if unsigned is None else self._greatest.view(unsigned)
        if dtype.char == "e":
            # To compare these takes longer than all else.
            self._next = self._size

    def expect(self, probe: npt.NDArray[Any], mean: float, deviation: float, block: int) -> None:
        """Form a view of the samples by the first of them, before any is noted.

        Parameters
        ----------
        probe : numpy.ndarray
            These, as float64.
        mean, deviation : float
            Their moments.
        block : int
            The samples of a block.
        """
        lower, upper = mean - self._threshold * deviation, mean + self._threshold * deviation
        least = float(np.minimum.reduce(probe))
        outside = 0
        if least < lower or float(np.maximum.reduce(probe)) > upper:
            values = sorted(probe.tolist())
            outside = len(values) - bisect_right(values, upper) + bisect_left(values, lower)
        if outside * ZONE > _LIKELY * probe.size:
            self._next = max(self._next, self._pause * block)
        else:
            self._is_calm = True
        self._is_from_zero = lower <= 0 <= least

    def plan(self, start: int, size: int, most: int) -> tuple[bool, int]:
        """Tell whether to note the next blocks, and of how many this is true.

        Parameters
        ----------
        start : int
            Where they start.
        size : int
            The samples of a block.
        most : int
            How many blocks there are.

        Returns
        -------
        tuple[bool, int]
            Whether, and how many. To be judged, and thus planned anew, before more are noted.
        """
        if start < self._next:
            return False, min(most, -(-(self._next - start) // size))
        return True, most if self._is_calm else 1

    def note(self, start: int, block: npt.NDArray[Any]) -> None:
        """Note the extremes of a block's zones.

        Parameters
        ----------
        start : int
            Where the block starts, at the start of a zone.
        block : numpy.ndarray
            It, with whole zones or the last samples. Of a zone with NaN nothing is known, and
            infinity is an extreme.
        """
        first = start // ZONE
        noted = slice(first, first - (-block.size // ZONE))
        if self._bits is not None and self._is_from_zero:
            bits = self._bits[noted]
            _reduce(np.maximum, block.view(bits.dtype), bits)
            if int(np.maximum.reduce(bits)) >> (8 * bits.itemsize - 1) == 0:
                self._least[noted] = 0
                return
        _reduce(np.minimum, block, self._least[noted])
        _reduce(np.maximum, block, self._greatest[noted])

    def judge(self, start: int, size: int, blocks: int, mean: float, deviation: float) -> None:
        """Pause for some blocks if it is likely that most zones have outliers.

        Parameters
        ----------
        start : int
            Where the blocks start that were noted.
        size : int
            The samples of a block.
        blocks : int
            How many these are. The last one speaks for all: it is whole, or nothing is left to
            plan.
        mean, deviation : float
            Its moments.
        """
        end = start + blocks * size
        if end >= self._size:
            return  # nothing is left to plan
        lower, upper = mean - self._threshold * deviation, mean + self._threshold * deviation
        noted = slice((end - size) // ZONE, end // ZONE)
        # Of so few numbers Python makes shorter work than numpy.
        least, greatest = self._least[noted].tolist(), self._greatest[noted].tolist()
        outside = sum(low < lower or high > upper for low, high in zip(least, greatest))
        self._is_from_zero = lower <= 0 <= min(least)
        self._is_calm = 2 * outside < len(least)
        if self._is_calm:
            self._pause = _FIRST_PAUSE
        else:
            self._next = end + self._pause * size
            self._pause = min(4 * self._pause, _LONGEST_PAUSE)

    def reach(
        self, least: Bound, greatest: Bound
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Tell for each zone whether samples of it may lie below, and above, two bounds.

        Parameters
        ----------
        least, greatest : numpy.ndarray
            What `bounds` returned.

        Returns
        -------
        tuple[numpy.ndarray, numpy.ndarray]
            Whether below the one, and above the other. Both for a zone that was not noted, unless
            no number is.
        """
        # NaN is neither within nor beyond.
        return ~(self._least >= least), ~(self._greatest <= greatest)


def _reduce(ufunc: np.ufunc, block: npt.NDArray[Any], zones: npt.NDArray[Any]) -> None:
    """Reduce each zone of a block to a number.

    With `reduceat` two threads take a tenth longer; with ``out=`` numpy before 2.2 leaves out the
    last samples where strides are negative.
    """
    whole = block.size // ZONE
    if whole:
        zones[:whole] = ufunc.reduce(block[: whole * ZONE].reshape(whole, ZONE), axis=1)
    if whole < zones.size:
        zones[whole:] = ufunc.reduce(block[whole * ZONE :])
