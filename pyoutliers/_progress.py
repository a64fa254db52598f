"""How far a detection is, for whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Seldom enough to cost nothing beside the blocks, and often enough for a person.
_BLOCKS_AT_A_TIME = 16


class Progress:
    """Tells a callable how many samples have been gone through, over all passes.

    Parameters
    ----------
    report : callable
        Called with how many samples are done and how many there will be, about once per million
        of them, and by `finish`. The error handling of numpy is then that of the constructor.
    total : int
        The samples of the passes that are known of.

    Raises
    ------
    TypeError
        If `report` cannot be called.
    """

    def __init__(self, report: Callable[[int, int], object], total: int) -> None:
        if not callable(report):
            raise TypeError(f"progress must be callable, not {type(report).__name__}")
        self._report = report
        self._errors = np.geterr()
        self._done = 0
        self._total = total

    def add_pass(self, size: int) -> None:
        """Count with another pass.

        Parameters
        ----------
        size : int
            Its samples.
        """
        self._total += size

    def starts(self, size: int, block: int) -> Iterator[int]:
        """Yield ``range(0, size, block)``, and tell the progress on the way.

        Parameters
        ----------
        size : int
            The samples of this pass.
        block : int
            How many of them are gone through after each start.

        Yields
        ------
        int
            Where a block starts.
        """
        step = block * _BLOCKS_AT_A_TIME
        for start in range(0, size, step):
            end = min(start + step, size)
            yield from range(start, end, block)
            self._done += end - start
            if self._done < self._total:
                self._tell()

    def finish(self) -> None:
        """Tell that all is done."""
        self._done = self._total
        self._tell()

    def _tell(self) -> None:
        with np.errstate(**self._errors):
            self._report(self._done, self._total)
