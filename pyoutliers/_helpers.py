"""Threads that help with a call, and wait a moment for the next one."""

from __future__ import annotations

import _thread
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], object]

# For how many seconds a helper waits for more to do. To start a thread and to end it costs some
# 0.1 ms, a quarter of which the caller spends in starting it: nothing beside a longer pause.
_PATIENCE = 0.005

# How long one waits for whoever has taken it to say what for. It is never said if an interruption
# comes in between.
_LONGEST = 1.0

# Those that wait. Adding, taking out and removing are each one step that no thread interrupts.
_waiting: list[_Helper] = []

# The threads of the parent are not in a child.
os.register_at_fork(after_in_child=_waiting.clear)


def start(work: Work) -> None:
    """Have another thread do something: one that waits, or a new one.

    Parameters
    ----------
    work : callable
        Called without arguments; must not raise. If an interruption ends this function, it may be
        called or not.

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
        _thread.start_new_thread(helper.run, ())
    else:
        helper.tell(work)


class _Helper:
    """One thread. It keeps nothing of what it has done."""

    __slots__ = ("_gate", "_work")

    def __init__(self) -> None:
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._work: Work | None = None

    def tell(self, work: Work) -> None:
        """Tell it what to do next: by whoever made it, or took it out of those that wait."""
        self._work = work
        self._gate.release()

    def run(self) -> None:
        while self._is_told():
            work, self._work = self._work, None
            assert work is not None
            work()
            del work
            _waiting.append(self)

    def _is_told(self) -> bool:
        if self._gate.acquire(timeout=_PATIENCE):
            return True
        try:
            _waiting.remove(self)
        except ValueError:
            return self._gate.acquire(timeout=_LONGEST)
        return False
