"""The positions of the outliers, block by block."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._bounds import bounds
from ._passes import go_through
from ._scratch import BLOCK
from ._zones import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy.typing as npt

    from ._progress import Progress
    from ._scratch import Scratch
    from ._zones import ZoneMap

    Positions = npt.NDArray[np.intp]

# A block of so few samples is searched at once: to skip words would take more calls than it saves.
_FEW = 16_384

# Up to which share of the zones these are searched one by one: a block takes as long as six of its
# eight where both sides are compared, and as all of them where one is.
_SPARSE = 0.7

# By their character, the types that are searched on threads: numpy compares float16 one by one, and
# two threads took 0.7 times as long as one. Of others a block takes many short calls: two threads,
# which wait for the GIL after each, took up to 1.27 times as long.
_SLOW = "e"

_NONE = np.empty(0, np.intp)
_ZERO = np.array(0, np.uint64)
_WORDS = np.arange(BLOCK // 8)


class Search:
    """A search for the samples that lie too far from the mean.

    Parameters
    ----------
    samples : numpy.ndarray
        What `samples_array` returned.
    mean, deviation : float
        The moments of `count` of them, those that are finite.
    threshold : float
        How many standard deviations away an outlier has to be.
    zones : ZoneMap, optional
        What is known of the samples' zones.
    """

    def __init__(
        self,
        samples: npt.NDArray[Any],
        mean: float,
        deviation: float,
        count: int,
        threshold: float,
        zones: ZoneMap | None = None,
    ) -> None:
        self._samples = samples
        self._some_omitted = count < samples.size
        # No sample is further than infinity from anywhere.
        limit = threshold * deviation if count else math.inf
        self._least, self._greatest = bounds(mean, limit, samples.dtype)
        # Which zones may have outliers, and on which side.
        self._open = None
        if zones is not None:
            self._below, self._above = zones.reach(self._least, self._greatest)
            self._open = self._below | self._above

    def run(
        self, take: Callable[[int, Positions], None], threads: int, progress: Progress | None
    ) -> None:
        """Go through the samples.

        Parameters
        ----------
        take : callable
            Called with where each block starts and with the positions of the outliers in it, both
            ascending.
        threads : int
            How many threads to work on, if that pays for samples of this type.
        progress : Progress, optional
            What is told of it.
        """
        zones = _NONE if self._open is None else self._open.nonzero()[0]
        if self._open is not None and zones.size < _SPARSE * self._open.size:
            work, block, starts = self._zone, ZONE, zones * ZONE
        else:
            work, block, starts = self._block, BLOCK, None
        go_through(
            self._samples.size,
            work,
            take,
            block=block,
            threads=threads if self._samples.dtype.char in _SLOW else 1,
            starts=starts,
            progress=progress,
        )

    def _zone(self, start: int, scratch: Scratch) -> Positions:
        """Return the positions of the outliers in one zone, which may have some."""
        zone, number = self._samples[start : start + ZONE], start // ZONE
        outside = scratch.above[: zone.size]
        if not self._above[number]:
            np.less(zone, self._least, outside)
        else:
            np.greater(zone, self._greatest, outside)
            if self._below[number]:
                below = scratch.below[: zone.size]
                np.less(zone, self._least, below)
                np.logical_or(outside, below, outside)
        if self._some_omitted:
            # NaN compares false by itself, infinity does not.
            outside &= np.isfinite(zone)
        return outside.nonzero()[0]

    def _block(self, start: int, scratch: Scratch) -> Positions:
        """Return the positions of the outliers in one block.

        To find the set bytes of a mask costs more than the two comparisons where some are set but
        few: up to a tenth numpy branches on each, and mispredicts. So a block is searched twice,
        for words of eight bytes with one that is set, and for the bytes in these, neither of which
        are that rare. With 4.6 % outliers this takes 0.6 ns for each sample instead of 1.1.
        """
        if self._open is not None and not self._open[start // ZONE : (start + BLOCK) // ZONE].any():
            return _NONE
        block = self._samples[start : start + BLOCK]
        size = block.size
        above, below = scratch.above[:size], scratch.below[:size]
        np.greater(block, self._greatest, above)
        np.less(block, self._least, below)
        if self._some_omitted:
            finite = np.isfinite(block)
            above &= finite
            below &= finite
        if size < _FEW:
            np.logical_or(above, below, above)
            return above.nonzero()[0]
        words = -(-size // 8)
        scratch.above[size : 8 * words] = scratch.below[size : 8 * words] = False
        set_words, hit = scratch.above_words[:words], scratch.hit[:words]
        np.bitwise_or(set_words, scratch.below_words[:words], set_words)
        np.not_equal(set_words, _ZERO, hit)
        numbers = hit.nonzero()[0]
        if numbers.size > words // 2:
            return above.nonzero()[0]
        positions = set_words.take(numbers).view(np.bool_).nonzero()[0]
        # The words that are not set lie between: so many before each that is.
        numbers -= _WORDS[: numbers.size]
        numbers <<= 3
        positions += numbers.take(positions >> 3)
        return positions
