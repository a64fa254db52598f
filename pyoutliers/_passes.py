"""Going through samples block by block, on one thread or on several."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING

import numpy as np

from ._scratch import BLOCK, Scratch, borrow, give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import numpy.typing as npt

    from ._progress import Progress

    Work = Callable[[int, Scratch], Any]
    Take = Callable[[int, Any], None]

# Until another core has woken up for a thread some 0.08 ms have passed, in which one goes through a
# fifth of so many.
SAMPLES_PER_THREAD = 500_000

# What a thread takes at a time, at least: few enough times that it hardly matters when it waits for
# its turn.
_GROUP = 8 * BLOCK

# And what it holds until then, if that is arrays.
_MOST_BYTES = 2**16


def go_through(
    size: int,
    work: Work,
    take: Take,
    *,
    block: int,
    threads: int = 1,
    starts: Sequence[int] | npt.NDArray[np.intp] | None = None,
    laborious: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Do `work` for each block, and hand what comes out to `take`, in the blocks' order.

    Parameters
    ----------
    size : int
        How many samples there are.
    work : callable
        Called with where a block starts and with scratch, by several threads at once.
    take : callable
        Called with where a block starts and with what `work` returned for it, which it may keep
        only a copy of if that is scratch; by one thread at a time.
    block : int
        How many samples a block has.
    threads : int
        How many threads to work on, where there are samples enough for them.
    starts : sequence of int, optional
        Where the blocks start that there is anything to do in, ascending; all of them otherwise.
    laborious : int, optional
        How many samples of these are work, if some are none.
    progress : Progress, optional
        What counts the samples, and is told of them by the calling thread.

    Raises
    ------
    BaseException
        What `work` raises for the first of the blocks for which it does; what `take` or the
        progress raises; and KeyboardInterrupt. All threads have ended by then.
    """
    if starts is None:
        starts = range(0, size, block)
    if laborious is None:
        laborious = min(size, len(starts) * block)
    workers = min(threads, laborious // SAMPLES_PER_THREAD)
    if workers > 1:
        _Team(size, work, take, block, starts, progress).run(workers)
        return
    scratch = borrow()
    passed = 0
    try:
        for start in map(int, starts):
            take(start, work(start, scratch))
            if progress is not None:
                end = min(start + block, size)
                progress.add(end - passed)
                passed = end
                progress.tell_in_time()
    finally:
        give_back(scratch)
    if progress is not None and passed < size:
        progress.add(size - passed)
        progress.tell_in_time()


class _Team:
    """Threads that take groups of blocks in order, and wait for their turn to hand results over.

    What they hold is thus one group's for each, however far one lags behind, and no more than so
    many bytes.

    The helpers are threads of the system's without what `threading` adds: it waits for the start of
    each, and the caller has better to do meanwhile. One that comes when all is done, or has failed,
    touches nothing.
    """

    def __init__(
        self,
        size: int,
        work: Work,
        take: Take,
        block: int,
        starts: Sequence[int] | npt.NDArray[np.intp],
        progress: Progress | None,
    ) -> None:
        self._size = size
        self._work = work
        self._take = take
        self._block = block
        self._starts = starts
        self._group = -(-_GROUP // block)  # in blocks
        self._progress = progress
        self._changed = threading.Condition(threading.Lock())
        self._started = 0  # the number of the next block to work on
        self._taken = 0  # and of the next one to take
        self._passed = 0  # samples
        self._failure: BaseException | None = None
        self._helping = 0  # helpers at work
        self._is_closed = False  # to further helpers

    def run(self, workers: int) -> None:
        try:
            for _ in range(workers - 1):
                _thread.start_new_thread(self._help, ())
            self._serve(self._progress)
        except BaseException as error:
            self._fail(error)
        finally:
            while not self._have_helpers_ended():
                pass
        if self._failure is not None:
            raise self._failure
        if self._progress is not None:
            self._progress.add(self._size - self._passed)
            self._progress.tell_in_time()

    def _help(self) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._helping += 1
        try:
            self._serve()
        finally:
            with self._changed:
                self._helping -= 1
                self._changed.notify_all()

    def _have_helpers_ended(self) -> bool:
        """Wait for it, unless interrupted: they are at work in the caller's memory."""
        try:
            with self._changed:
                self._is_closed = True
                while self._helping:
                    self._changed.wait()
        except BaseException as error:
            self._fail(error)
            return False
        return True

    def _serve(self, progress: Progress | None = None) -> None:
        scratch = borrow()
        try:
            # The error handling of numpy is each thread's own.
            with np.errstate(all="ignore"):
                while (number := self._next()) is not None:
                    self._do(number, scratch)
                    if progress is not None:
                        progress.tell_in_time()
        except BaseException as error:
            self._fail(error)
        finally:
            give_back(scratch)

    def _next(self) -> int | None:
        with self._changed:
            number = self._started
            if self._failure is not None or number >= len(self._starts):
                return None
            self._started += self._group
            return number

    def _do(self, number: int, scratch: Scratch) -> None:
        held: list[tuple[int, Any]] = []
        held_bytes = 0
        try:
            for start in map(int, self._starts[number : number + self._group]):
                result = self._work(start, scratch)
                held.append((start, result))
                held_bytes += getattr(result, "nbytes", 0)
                if held_bytes > _MOST_BYTES:
                    if not self._hand_over(number, held):
                        return
                    held_bytes = 0
        except Exception:
            # A block before this one may have something to say first.
            if self._hand_over(number, held):
                raise
            return
        if self._hand_over(number, held):
            with self._changed:
                self._taken = number + self._group
                self._changed.notify_all()

    def _hand_over(self, number: int, held: list[tuple[int, Any]]) -> bool:
        """Wait for the turn of the group that starts there; tell whether it has come."""
        with self._changed:
            while self._taken != number and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                return False
        for start, result in held:
            self._take(start, result)
            if self._progress is not None:
                end = min(start + self._block, self._size)
                self._progress.add(end - self._passed)
                self._passed = end
        held.clear()
        return True

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        with self._changed:
            self._changed.notify_all()
