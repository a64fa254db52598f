"""Threads that help with a call, and wait a moment for the next one."""

from __future__ import annotations

import _thread
import atexit
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], object]

# For how many seconds a helper waits for more to do. A detection in a million samples took 43 to
# 79 µs more if it started a thread, 30 of which the caller spends in that: nothing beside a longer
# pause.
_PATIENCE = 0.005

# How long one waits for whoever has taken it to say what for. It is never said if an interruption
# comes in between.
_LONGEST = 1.0

# Those that wait, and all that have not ended. Adding, taking out and removing are each one step
# that no thread interrupts.
_waiting: list[_Helper] = []
_alive: set[_Helper] = set()


def _forget_all() -> None:
    _waiting.clear()
    _alive.clear()


def _end_all() -> None:
    """Wait for helpers to end: in CPython 3.11.2 one that comes to work later uses freed memory."""
    deadline = time.monotonic() + _LONGEST
    while _alive and time.monotonic() < deadline:
        try:
            _waiting.pop().tell(None)
        except IndexError:
            time.sleep(0.0001)


# The threads of the parent are not in a child.
os.register_at_fork(after_in_child=_forget_all)
atexit.register(_end_all)


def start(work: Work) -> None:
    """Have another thread do something: one that waits, or a new one.

    Parameters
    ----------
    work : callable
        Called without arguments, or never: if an interruption ends this function, or holds it up
        for long. It must not raise.

    Raises
    ------
    RuntimeError
        If no thread can be started.
    """
    try:
        helper = _waiting.pop()
    except IndexError:
        helper = _Helper()
        helper.tell(work)
        _alive.add(helper)
        try:
            _thread.start_new_thread(helper.run, ())
        except BaseException:
            _alive.discard(helper)
            raise
    else:
        helper.tell(work)


def wait_through(wait: Callable[[], object], interruptions: int = 3) -> None:
    """Wait, and again after each of so many interruptions, which come back at the end.

    Parameters
    ----------
    wait : callable
        Called without arguments, more than once.
    interruptions : int
        A last one ends the wait. One that comes before this function has begun is the caller's.
    """
    try:
        if interruptions > 1:
            wait_through(wait, interruptions - 1)
    finally:
        wait()


class _Helper:
    """One thread. It keeps nothing of what it has done."""

    __slots__ = ("_gate", "_work")

    def __init__(self) -> None:
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._work: Work | None = None

    def tell(self, work: Work | None) -> None:
        """Tell it what to do next, or to end: by whoever made it or took it out of `_waiting`."""
        self._work = work
        self._gate.release()

    def run(self) -> None:
        try:
            while self._is_told():
                work, self._work = self._work, None
                if work is None:
                    return
                work()
                del work
                _waiting.append(self)
        finally:
            _alive.discard(self)

    def _is_told(self) -> bool:
        if self._gate.acquire(timeout=_PATIENCE):
            return True
        try:
            _waiting.remove(self)
        except ValueError:
            # Somebody has just taken it, and is about to tell.
            return self._gate.acquire(timeout=_LONGEST)
        return False
