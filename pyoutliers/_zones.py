"""The least and the greatest sample of each zone, which tell whether it has to be searched."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ._bounds import EXTREMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy.typing as npt

    from ._bounds import Bound
    from ._jobs import Job

    # What looks at a part of a block, by where that begins and ends.
    Reductions = Callable[[int, int], list[Job]]

# The samples of a zone: so many that two numbers for each are nothing, and so few that an outlier
# does not have much searched that has none.
ZONE = 8192

# By the type's character, whose hash is known.
_UNSIGNED: dict[str, np.dtype[Any]] = {"f": np.dtype(np.uint32), "d": np.dtype(np.uint64)}

# How many blocks are passed over after some that have outliers in most zones, or where the first
# samples make that likely; the first time, and at most. To look for extremes costs a good third of
# a block's first pass, and nothing is gained.
_FIRST_PAUSE, _LONGEST_PAUSE = 2, 16

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
        # Where to go on taking notes, and how many blocks to pass over if that one has outliers.
        # Several threads set them, and nothing is wrong whichever is last.
        self._next = 0
        self._pause = _FIRST_PAUSE
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
        outside = np.count_nonzero((probe < lower) | (probe > upper))
        if outside * ZONE > _LIKELY * probe.size:
            self._pass_over(0, block)
        self._is_from_zero = lower <= 0 <= float(np.minimum.reduce(probe))

    def begin(self, start: int, block: npt.NDArray[Any]) -> Notes | None:
        """Begin to note a block, if it is likely to pay.

        Parameters
        ----------
        start : int
            Where the block starts, at the start of a zone.
        block : numpy.ndarray
            It, with whole zones or the last samples.

        Returns
        -------
        Notes, optional
            What is to be done for it.
        """
        return None if start < self._next else Notes(self, start, block)

    def at_once(self, samples: npt.NDArray[Any], expect: Job | None) -> Reductions:
        """Return what `Notes.reductions` is of a block, for all samples: one job, to the end.

        Of two threads one has all this to do by itself, while the other one adds up.

        Parameters
        ----------
        samples : numpy.ndarray
            All of them.
        expect : callable, optional
            What forms a view of them.

        Returns
        -------
        callable
            What returns the job.
        """

        def note_all() -> None:
            if expect is not None:
                expect()
            notes = self.begin(0, samples)
            if notes is not None:
                for reduce in notes.reductions(0, samples.size):
                    reduce()
                notes.finish()

        return lambda _begin, _end: [note_all]

    def _judge(self, start: int, block: npt.NDArray[Any], mean: float, deviation: float) -> None:
        """Pause for some blocks if it is likely that most zones have outliers."""
        end = start + block.size
        if end >= self._size:
            return  # nothing is left to plan
        lower, upper = mean - self._threshold * deviation, mean + self._threshold * deviation
        noted = slice(start // ZONE, end // ZONE)
        least, greatest = self._least[noted], self._greatest[noted]
        outside = np.count_nonzero((least < lower) | (greatest > upper))
        self._is_from_zero = lower <= 0 <= np.minimum.reduce(least)
        if 2 * outside < least.size:
            self._pause = _FIRST_PAUSE
        else:
            self._pass_over(end, block.size)

    def _pass_over(self, start: int, block: int) -> None:
        self._next = max(self._next, start + self._pause * block)
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


class Notes:
    """The extremes of one block's zones: some reductions, on any threads, and then the end.

    Of a zone with NaN nothing is known, and infinity is an extreme.

    Parameters
    ----------
    zones : ZoneMap
        What takes them.
    start : int
        Where the block starts.
    block : numpy.ndarray
        Its samples.
    """

    def __init__(self, zones: ZoneMap, start: int, block: npt.NDArray[Any]) -> None:
        self._zones = zones
        self._start = start
        self._block = block
        # To the end: what a block is expected to be may change meanwhile.
        self._bits = zones._bits if zones._is_from_zero else None

    def reductions(self, begin: int, end: int) -> list[Job]:
        """Return what looks at a part of the block, to be called in any order.

        Parameters
        ----------
        begin, end : int
            Where in the block it starts, at the start of a zone, and ends, at the end of a zone or
            of the block.

        Returns
        -------
        list of callable
            Each is one call of numpy.
        """
        whole = end - (end - begin) % ZONE
        jobs: list[Job] = []
        for first, last in (begin, whole), (whole, end):
            part, noted = self._block[first:last], self._zones_of(first, last)
            if not part.size:
                continue
            if self._bits is not None:
                part = part.view(self._bits.dtype)
                jobs.append(_reduction(np.maximum, part, self._bits[noted]))
            else:
                jobs.append(_reduction(np.minimum, part, self._zones._least[noted]))
                jobs.append(_reduction(np.maximum, part, self._zones._greatest[noted]))
        return jobs

    def finish(self, mean: float = math.nan, deviation: float = math.nan) -> None:
        """Make of the reductions what they tell, and plan what to note next.

        Parameters
        ----------
        mean, deviation : float
            The block's moments; NaN plans nothing.
        """
        if self._bits is not None:
            noted = self._zones_of(0, self._block.size)
            self._zones._least[noted] = 0
            for zone in np.signbit(self._zones._greatest[noted]).nonzero()[0].tolist():
                self._note(noted.start + zone)
        if not math.isnan(mean):
            self._zones._judge(self._start, self._block, mean, deviation)

    def _zones_of(self, begin: int, end: int) -> slice:
        """Return which zones a part of the block is."""
        return slice((self._start + begin) // ZONE, -(-(self._start + end) // ZONE))

    def _note(self, zone: int) -> None:
        """Look at one zone, whatever is in it."""
        begin = zone * ZONE - self._start
        samples = self._block[begin : begin + ZONE]
        self._zones._least[zone] = np.minimum.reduce(samples)
        self._zones._greatest[zone] = np.maximum.reduce(samples)


def _reduction(ufunc: np.ufunc, samples: npt.NDArray[Any], zones: npt.NDArray[Any]) -> Job:
    """Return what reduces the samples of each of some zones to a number."""
    rows = samples.reshape(zones.size, -1)
    if rows.strides[-1] < 0:
        # Not in this direction: with ``out=`` numpy before 2.2 would leave out the last samples.
        rows = rows[:, ::-1]
    return partial(ufunc.reduce, rows, 1, None, zones)
