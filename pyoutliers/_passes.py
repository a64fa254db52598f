"""Going through samples block by block, on one thread or on several."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from ._scratch import BLOCK, Scratch, borrow, give_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._progress import Progress

    Work = Callable[[int, Scratch], Any]
    Take = Callable[[int, Any], None]

# To start a thread and to wait for its end takes about 0.1 ms, as a pass over so many does.
SAMPLES_PER_THREAD = 1_000_000

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
    laborious : int, optional
        How many samples that is, if some are no work.
    progress : Progress, optional
        What counts the samples, and is told of them by the calling thread.

    Raises
    ------
    BaseException
        What `work` raises for the first of the blocks for which it does; what `take` or the
        progress raises; and KeyboardInterrupt. All threads have ended by then.
    """
    workers = min(threads, (size if laborious is None else laborious) // SAMPLES_PER_THREAD)
    if workers > 1:
        _Team(size, work, take, block, progress).run(workers)
        return
    scratch = borrow()
    try:
        for start in range(0, size, block):
            take(start, work(start, scratch))
            if progress is not None:
                progress.add(min(block, size - start))
                progress.tell_in_time()
    finally:
        give_back(scratch)


class _Team:
    """Threads that take groups of blocks in order, and wait for their turn to hand results over.

    What they hold is thus one group's for each, however far one lags behind, and no more than so
    many bytes.
    """

    def __init__(
        self,
        size: int,
        work: Work,
        take: Take,
        block: int,
        progress: Progress | None,
    ) -> None:
        self._size = size
        self._work = work
        self._take = take
        self._block = block
        self._group = -(-_GROUP // block) * block
        self._progress = progress
        self._changed = threading.Condition(threading.Lock())
        self._started = 0  # where the next group to work on starts
        self._taken = 0  # and the next one to take
        self._failure: BaseException | None = None

    def run(self, workers: int) -> None:
        others = [threading.Thread(target=self._serve) for _ in range(workers - 1)]
        try:
            for thread in others:
                thread.start()
            self._serve(self._progress)
        except BaseException as error:
            self._fail(error)
        finally:
            for thread in others:
                self._join(thread)
        if self._failure is not None:
            raise self._failure
        if self._progress is not None:
            self._progress.tell_in_time()

    def _join(self, thread: threading.Thread) -> None:
        """Wait for the end of a thread, interrupted or not: it is at work in the caller's memory.

        One that is about to start, as far as that is known, finds the failure and ends.
        """
        while thread.is_alive():
            try:
                thread.join()
            except BaseException as error:
                self._fail(error)

    def _serve(self, progress: Progress | None = None) -> None:
        scratch = borrow()
        try:
            # The error handling of numpy is each thread's own.
            with np.errstate(all="ignore"):
                while (start := self._next()) is not None:
                    self._do(start, scratch)
                    if progress is not None:
                        progress.tell_in_time()
        except BaseException as error:
            self._fail(error)
        finally:
            give_back(scratch)

    def _next(self) -> int | None:
        with self._changed:
            start = self._started
            if self._failure is not None or start >= self._size:
                return None
            self._started += self._group
            return start

    def _do(self, start: int, scratch: Scratch) -> None:
        end = min(start + self._group, self._size)
        held: list[tuple[int, Any]] = []
        held_bytes = 0
        try:
            for block in range(start, end, self._block):
                result = self._work(block, scratch)
                held.append((block, result))
                held_bytes += getattr(result, "nbytes", 0)
                if held_bytes > _MOST_BYTES:
                    if not self._hand_over(start, held):
                        return
                    held_bytes = 0
        except Exception:
            # A block before this one may have something to say first.
            if self._hand_over(start, held):
                raise
            return
        if self._hand_over(start, held):
            with self._changed:
                self._taken = end
                self._changed.notify_all()

    def _hand_over(self, start: int, held: list[tuple[int, Any]]) -> bool:
        """Wait for the turn of the group that starts there; tell whether it has come."""
        with self._changed:
            while self._taken != start and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                return False
        for block, result in held:
            self._take(block, result)
            if self._progress is not None:
                self._progress.add(min(self._block, self._size - block))
        held.clear()
        return True

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        with self._changed:
            self._changed.notify_all()
