"""Going through samples block by block, on one thread or on several."""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

import numpy as np

from ._helpers import start as start_helper
from ._helpers import wait_through
from ._scratch import BLOCK, Scratch, borrow, give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import numpy.typing as npt

    from ._progress import Progress

    Work = Callable[[int, Scratch], Any]
    Take = Callable[[int, Any], None]

# Until another core has woken up for a thread 0.1 ms have passed, and whenever one waits for the
# GIL some 0.05 more: so many samples make up for it where numpy's calls are few and long.
SAMPLES_PER_THREAD = 500_000

# What a thread takes at a time, at least: few enough times that it hardly matters when it waits for
# its turn.
_GROUP = 8 * BLOCK

# And what it holds until then, if that is arrays.
_MOST_BYTES = 2**16


def workers_count(samples: int, threads: int) -> int:
    """Return how many threads are of use.

    Parameters
    ----------
    samples : int
        How many there are to go through.
    threads : int
        How many threads are allowed.

    Returns
    -------
    int
        As many as that, or fewer; none where one would have too little to do.
    """
    return min(threads, samples // SAMPLES_PER_THREAD)


def go_through(
    size: int,
    work: Work,
    take: Take,
    *,
    block: int,
    threads: int = 1,
    starts: Sequence[int] | npt.NDArray[np.intp] | None = None,
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
        Called with where a block starts and with what `work` returned for it, which is nothing of
        the scratch; by one thread at a time, and never twice for a block.
    block : int
        How many samples a block has.
    threads : int
        How many threads to work on, where there are samples enough for them.
    starts : sequence of int, optional
        Where the blocks start that there is anything to do in, ascending; all of them otherwise.
    progress : Progress, optional
        What counts the samples, and is told of them by the calling thread.

    Raises
    ------
    BaseException
        What `work` raises for the first of the blocks for which it does; what `take` or the
        progress raises; and KeyboardInterrupt. All threads have ended their work by then, unless
        more signals than `wait_through` takes raise while they are waited for.
    """
    if starts is None:
        starts = range(0, size, block)
    workers = workers_count(min(size, len(starts) * block), threads)
    if workers > 1:
        _Team(size, work, take, block, starts, workers, progress).run()
        return
    scratch = borrow()
    passed = 0
    try:
        for start in map(int, starts):
            take(start, work(start, scratch))
            if progress is not None:
                end = min(start + block, size)
                progress.advance(end - passed)
                passed = end
    finally:
        give_back(scratch)
    if progress is not None:
        progress.advance(size - passed)


def _nothing(*_: object) -> None:
    pass


class _Team:
    """Threads that take groups of blocks in order, and hand results over in that order.

    A group whose turn has not come is left to the thread whose turn it is, one for each thread;
    beyond that they wait. What they hold is thus that of two groups for each, however far one lags
    behind, and of each group no more than so many bytes.

    The helpers are threads of the system's without what `threading` adds: it waits for the start of
    each, and the caller has better to do meanwhile. One that comes when all is done, or has failed,
    touches nothing.

    An interruption may come between any two steps of Python on the caller's thread. So there is a
    plain lock, which `with` takes and gives back at any rate (from CPython 3.10 on), and no
    `threading.Condition`, of which that is not true.
    """

    def __init__(
        self,
        size: int,
        work: Work,
        take: Take,
        block: int,
        starts: Sequence[int] | npt.NDArray[np.intp],
        workers: int,
        progress: Progress | None,
    ) -> None:
        self._size = size
        self._work = work
        self._take = take
        self._block = block
        self._starts = starts
        self._workers = workers
        self._group = -(-_GROUP // block)  # in blocks
        self._progress = progress
        self._passed = 0  # samples, by whoever has the turn
        self._lock = _thread.allocate_lock()  # for all of what follows
        self._gates: list[_thread.LockType] = []  # of those who wait for a change of it
        self._started = 0  # the number of the next block to work on
        self._taken = 0  # and of the next one to take
        self._parked: dict[int, list[tuple[int, Any]]] = {}  # results by their group's first block
        self._failure: BaseException | None = None
        self._helping = 0  # helpers at work
        self._is_closed = False  # to further helpers
        self._is_served = False  # all that the caller has begun has been handed over

    def run(self) -> None:
        try:
            self._serve_and_wait()
            progress, failure = self._progress, self._failure
        finally:
            self._let_go()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # which knows of this frame
        if progress is not None:
            progress.advance(self._size - self._passed)
            progress.tell_in_time()

    def _serve_and_wait(self) -> None:
        try:
            for _ in range(self._workers - 1):
                start_helper(self._help)
            self._serve(self._progress)
            self._is_served = True
        except BaseException as error:
            self._fail(error)
        finally:
            # They are at work in the caller's memory: an interruption does not end the wait.
            try:
                wait_through(self._wait_for_helpers)
            finally:
                self._wait_for_helpers()

    def _help(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._helping += 1
        try:
            self._serve()
        finally:
            with self._lock:
                self._helping -= 1
                self._tell_change()

    def _wait_for_helpers(self) -> None:
        with self._lock:
            self._is_closed = True
            if not self._is_served and self._failure is None:
                # An interruption came while another one was being noted.
                self._failure = KeyboardInterrupt()
            self._tell_change()
        self._wait_until(lambda: not self._helping)

    def _let_go(self) -> None:
        """Forget all that knows of the caller's memory: a helper that is yet to end knows of this.

        Nobody calls what is put in its place.
        """
        self._work = self._take = _nothing
        self._progress = self._failure = None
        self._parked.clear()

    def _serve(self, progress: Progress | None = None) -> None:
        try:
            scratch = borrow()
            try:
                # The error handling of numpy is each thread's own.
                with np.errstate(all="ignore"):
                    while (number := self._next()) is not None:
                        self._do(number, scratch)
                        if progress is not None:
                            progress.tell_in_time()
            finally:
                give_back(scratch)
        except BaseException as error:
            self._fail(error)

    def _next(self) -> int | None:
        with self._lock:
            number = self._started
            if self._failure is not None or number >= len(self._starts):
                return None
            self._started += self._group
            return number

    def _do(self, number: int, scratch: Scratch) -> None:
        held: list[tuple[int, Any]] = []
        held_bytes = 0
        for start in map(int, self._starts[number : number + self._group]):
            try:
                result = self._work(start, scratch)
            except Exception:
                # A block before this one may have something to say first.
                if self._hand_over(number, held):
                    raise
                return
            held.append((start, result))
            held_bytes += getattr(result, "nbytes", 0)
            if held_bytes > _MOST_BYTES:
                if not self._hand_over(number, held):
                    return
                held_bytes = 0
        if self._park(number, held):
            return
        while self._hand_over(number, held):
            number += self._group
            with self._lock:
                self._taken = number
                self._tell_change()
                if number not in self._parked:
                    return
                held = self._parked.pop(number)

    def _park(self, number: int, held: list[tuple[int, Any]]) -> bool:
        """Leave results to the thread whose turn it is, unless much is left already; tell which."""
        with self._lock:
            parks = self._taken != number and len(self._parked) < self._workers
            if parks:
                self._parked[number] = held
            return parks

    def _hand_over(self, number: int, held: list[tuple[int, Any]]) -> bool:
        """Wait for the turn of the group that starts there; tell whether it has come."""
        self._wait_until(lambda: self._taken == number or self._failure is not None)
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
        with self._lock:
            if self._failure is None:
                self._failure = error
            self._tell_change()

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        while True:
            with self._lock:
                if is_so():
                    return
                gate = _thread.allocate_lock()
                gate.acquire()
                self._gates.append(gate)
            gate.acquire()

    def _tell_change(self) -> None:
        """Open the gates, with the lock held. Opened ones are left if this is interrupted."""
        for gate in self._gates:
            if gate.locked():
                gate.release()
        self._gates.clear()
