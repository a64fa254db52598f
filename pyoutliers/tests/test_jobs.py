"""Jobs at the same time: each is done once, and none is at work when the call is over."""

import _thread
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest

from pyoutliers._jobs import do_all

from .reference import PARENT

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_each_job_is_done_once(threads):
    for count in range(6):
        done = []
        do_all([partial(done.append, number) for number in range(count)], threads)
        assert sorted(done) == list(range(count))


def test_jobs_are_done_at_the_same_time_no_more_than_there_are_threads():
    meeting = threading.Barrier(3)
    at_work, most = [], []

    def meet():
        at_work.append(1)
        most.append(len(at_work))
        meeting.wait(10)
        at_work.pop()
        time.sleep(0.01)

    do_all([meet] * 6, 3)
    assert max(most) == 3


def test_the_caller_begins_with_the_first_and_the_helper_with_the_last():
    both = threading.Barrier(2)
    done = []

    def job(number):
        both.wait(10)
        done.append((threading.current_thread(), number))

    do_all([partial(job, number) for number in range(2)], 2)
    numbers = dict(done)
    assert numbers.pop(threading.current_thread()) == 0
    assert list(numbers.values()) == [1]


@pytest.mark.parametrize("failing", [0, 1])
def test_what_a_job_raises_comes_back_when_no_other_is_at_work(failing):
    is_over = []
    both = threading.Barrier(2)

    def fail():
        both.wait(10)
        raise LookupError

    def go_on():
        both.wait(10)
        time.sleep(0.05)
        is_over.append(True)

    jobs = [go_on, go_on]
    jobs[failing] = fail
    with pytest.raises(LookupError):
        do_all(jobs, 2)
    assert is_over == [True]


def test_an_error_of_an_index_is_the_jobs_own():
    with pytest.raises(IndexError, match="list index"):
        do_all([partial(list.__getitem__, [], 0), time.time], 2)


def test_an_interruption_ends_no_sooner_than_the_helpers():
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    at_work = threading.Event()
    is_over = []

    def helping():
        at_work.set()
        time.sleep(0.3)
        is_over.append(True)

    def calling():
        at_work.wait(10)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(10)

    try:
        with pytest.raises(KeyboardInterrupt):
            do_all([calling, helping], 2)
        assert is_over == [True]

        # While the caller waits for the helper, too.
        is_over.clear()
        at_work.clear()

        def waiting():
            at_work.wait(10)
            signal.setitimer(signal.ITIMER_REAL, 0.1)

        with pytest.raises(KeyboardInterrupt):
            do_all([waiting, helping], 2)
        assert is_over == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_thread_that_cannot_be_started_is_told(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    done = []
    with pytest.raises(RuntimeError, match="can't start"):
        do_all([partial(done.append, 1)] * 2, 2)
    assert not done


def test_a_helper_that_comes_when_all_is_done_does_nothing_and_knows_of_nothing(monkeypatch):
    late = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda *call: late.append(call))
    memory = bytearray(8)
    done = []
    # An array that is left anywhere keeps the memory from growing.
    do_all([partial(done.append, 8), partial(np.sum, np.frombuffer(memory, np.uint8))], 2)
    memory.append(0)
    ((function, arguments),) = late
    function(*arguments)
    assert done == [8]


@pytest.mark.parametrize("failing", [{0}, {1}, {0, 1}])
def test_a_failure_leaves_memory_to_its_owner(failing):
    memory = bytearray(8)
    both = threading.Barrier(2)

    def fail(array):
        both.wait(10)
        raise LookupError

    def go_on(array):
        both.wait(10)

    # An array that is left anywhere keeps the memory from growing.
    works = [fail if number in failing else go_on for number in range(2)]
    jobs = [partial(work, np.frombuffer(memory, np.uint8)) for work in works]
    with pytest.raises(LookupError) as caught:
        do_all(jobs, 2)
    with pytest.raises(BufferError):
        memory.append(0)
    del caught, jobs, works
    memory.append(0)


def test_two_signals_at_once_end_no_sooner_than_the_helpers():
    """The second one raises while the first one is being noted.

    CPython looks for signals after a call, but not after one that it has made often.
    """
    script = """if True:
        import signal, threading, time
        from pyoutliers._jobs import do_all

        timers = {signal.SIGALRM: signal.ITIMER_REAL, signal.SIGVTALRM: signal.ITIMER_VIRTUAL}
        for number in timers:
            signal.signal(number, signal.default_int_handler)
        at_work = threading.Event()
        is_over = []

        def helping():
            at_work.set()
            time.sleep(0.5)
            is_over.append(True)

        def calling():
            at_work.wait(10)
            for timer in timers.values():
                signal.setitimer(timer, 0.01)
            sum(range(20_000_000))  # meanwhile both come, and neither is looked at

        try:
            do_all([calling, helping], 2)
        except KeyboardInterrupt:
            print(is_over)
        """
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PARENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "[True]\n"


def test_numpy_does_not_warn_on_a_helper(recwarn):
    both = threading.Barrier(2)

    def overflow():
        both.wait(10)
        np.multiply(np.full(4, 1e300), 1e300)

    with np.errstate(all="ignore"):
        do_all([overflow, overflow], 2)
    assert not recwarn.list
