"""How far a detection is, for whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# Seldom enough to cost nothing beside the blocks, and often enough for a person.
_STEP = 2**20


class Progress:
    """Tells a callable how many samples have been gone through, over all passes.

    Parameters
    ----------
    report : callable
        Called with how many samples are done and how many there will be, about once per million
        of them, and by `finish`. The error handling of numpy is then that of the constructor.
    size : int
        The samples of a pass, of which two are known of.

    Raises
    ------
    TypeError
        If `report` cannot be called.
    """

    def __init__(self, report: Callable[[int, int], object], size: int) -> None:
        if not callable(report):
            raise TypeError(f"progress must be callable, not {type(report).__name__}")
        self._report = report
        self._errors = np.geterr()
        self._size = size
        self._done = 0
        self._told = 0
        self._total = 2 * size

    def add_pass(self) -> None:
        """Count with another pass."""
        self._total += self._size

    def add(self, count: int) -> None:
        """Count samples that have been gone through.

        Parameters
        ----------
        count : int
            How many, of one pass.
        """
        self._done += count

    def advance(self, count: int) -> None:
        """Count samples, and tell of them in time, which may be several times.

        Parameters
        ----------
        count : int
            How many, of one pass, that have been gone through or passed over.
        """
        while count > 0:
            step = min(count, max(self._told + _STEP - self._done, 1))
            self.add(step)
            self.tell_in_time()
            count -= step

    def tell_in_time(self) -> None:
        """Tell how far it is if that is due, or if it is the end of a pass but the last."""
        done = self._done
        due = done - self._told >= _STEP or (done % self._size == 0 and done > self._told)
        if due and done < self._total:
            self._tell(done)

    def finish(self) -> None:
        """Tell that all is done."""
        self._done = self._total
        self._tell(self._total)

    def _tell(self, done: int) -> None:
        self._told = done
        with np.errstate(**self._errors):
            self._report(done, self._total)
