"""Doing a few long things at the same time."""

from __future__ import annotations

import _thread
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ._helpers import start, wait_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Job = Callable[[], object]


def do_all(jobs: Iterable[Job], threads: int) -> None:
    """Do jobs that do not depend on each other, on the calling thread and on helpers.

    Parameters
    ----------
    jobs : iterable of callable
        Called without arguments: from the first one on by the caller, from the last one on by the
        helpers, which come later: by some 50 µs if they have to be started.
    threads : int
        How many threads to work on; on no more than there are jobs.

    Raises
    ------
    BaseException
        What a job raises, the others having been begun or not; and KeyboardInterrupt. No thread is
        at work by then, and one that is yet to start or to end knows of none of the jobs, unless
        more signals than `wait_through` takes raise while they are waited for.

    Notes
    -----
    `go_through` hands over in order what comes out of each block, for which its threads wait for
    each other more often. Jobs leave their results where others can find them.
    """
    if threads == 1:
        for job in jobs:
            job()
        return
    left = list(jobs)
    gates = [_thread.allocate_lock() for _ in range(min(threads, len(left)) - 1)]
    failures: list[BaseException] = []

    def help_out(gate: _thread.LockType) -> None:
        # Whoever holds the gate keeps the caller from returning.
        with gate:
            try:
                # The error handling of numpy is each thread's own.
                with np.errstate(all="ignore"):
                    _do_some(left, -1)
            except BaseException as error:
                failures.append(error)
                left.clear()

    try:
        _do_with_helpers(left, gates, help_out)
        if failures:
            raise failures[0]
    finally:
        failures.clear()  # which know of this frame


def _do_with_helpers(
    left: list[Job],
    gates: list[_thread.LockType],
    help_out: Callable[[_thread.LockType], None],
) -> None:
    def wait() -> None:
        left.clear()
        for gate in gates:
            with gate:
                pass

    try:
        for gate in gates:
            start(partial(help_out, gate))
        _do_some(left, 0)
    finally:
        # They are at work in the caller's memory: an interruption does not end the wait.
        try:
            wait_through(wait)
        finally:
            wait()


def _do_some(left: list[Job], which: int) -> None:
    """Do the first or the last one of those that are left, until none is."""
    while True:
        try:
            job = left.pop(which)
        except IndexError:
            return
        job()
