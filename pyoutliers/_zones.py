"""The least and the greatest sample of each zone, which tell whether it has to be searched."""

from __future__ import annotations

import math
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

# How many blocks are passed over, at most, after some that have outliers in most zones: to look for
# extremes costs a good third of a block's first pass, and nothing is gained.
_LONGEST_PAUSE = 16


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
        count = -(-samples.size // ZONE)
        # Of a zone that is not noted, anything is true.
        lowest, highest = EXTREMES.get(samples.dtype, (-math.inf, math.inf))
        self._least = np.full(count, lowest, samples.dtype)
        self._greatest = np.full(count, highest, samples.dtype)
        self._threshold = threshold
        # Where to go on taking notes, how many blocks to pass over if that one has outliers, and
        # whether the last ones had few. Several threads set them, and nothing is wrong whichever is
        # last.
        self._next = 0
        self._pause = 0
        self._is_calm = False
        if samples.dtype == np.float16:
            # To compare these takes longer than all else.
            self._next = samples.size

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
        """Note the extremes of a block's zones, of all but a shorter last one.

        Parameters
        ----------
        start : int
            Where the block starts, at the start of a zone.
        block : numpy.ndarray
            It. Of a zone with NaN nothing is known, and infinity is an extreme.
        """
        count = block.size // ZONE
        if not count:
            return
        zones = block[: count * ZONE].reshape(count, ZONE)
        number = start // ZONE
        np.minimum.reduce(zones, axis=1, out=self._least[number : number + count])
        np.maximum.reduce(zones, axis=1, out=self._greatest[number : number + count])

    def judge(self, start: int, size: int, moments: list[tuple[float, float]]) -> None:
        """Pause for some blocks if it is likely that most zones have outliers.

        Parameters
        ----------
        start : int
            Where the blocks start that were noted.
        size : int
            The samples of each.
        moments : list
            The mean and the standard deviation of each.
        """
        shape = len(moments), size // ZONE
        if not shape[1]:
            return
        noted = slice(start // ZONE, start // ZONE + shape[0] * shape[1])
        means, deviations = np.array(moments).T[..., np.newaxis]
        limits = self._threshold * deviations
        outside = np.count_nonzero(
            (self._least[noted].reshape(shape) < means - limits)
            | (self._greatest[noted].reshape(shape) > means + limits)
        )
        self._is_calm = 2 * outside < shape[0] * shape[1]
        if self._is_calm:
            self._pause = 0
        else:
            self._next = start + (shape[0] + self._pause) * size
            self._pause = min(4 * self._pause, _LONGEST_PAUSE) or 1

    def within(self, least: Bound, greatest: Bound) -> npt.NDArray[np.bool_]:
        """Tell for each zone whether all of its samples are known to lie between two bounds.

        Parameters
        ----------
        least, greatest : numpy.ndarray
            What `bounds` returned.

        Returns
        -------
        numpy.ndarray
            False for a zone that was not noted, unless no number lies outside of the bounds.
        """
        within: npt.NDArray[np.bool_] = (self._least >= least) & (self._greatest <= greatest)
        return within
