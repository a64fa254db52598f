"""Helpers: threads that wait a moment for more to do, and end by themselves."""

import _thread
import threading
import time
import weakref
from functools import partial

import pytest

from pyoutliers import _helpers

from .conftest import wait_for_thread_count
from .reference import in_a_fresh_process

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture
def patient(monkeypatch):
    """A helper waits long enough for a slow machine."""
    monkeypatch.setattr(_helpers, "_PATIENCE", 1.0)


def do(work=lambda: None):
    """Have a helper do something and wait for it; return which thread it was."""
    done = threading.Event()
    who = []

    def noted():
        work()
        who.append(threading.get_ident())
        done.set()

    _helpers.start(noted)
    assert done.wait(10)
    return who[0]


def wait_for_waiting(count):
    deadline = time.monotonic() + 10
    while len(_helpers._waiting) != count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(_helpers._waiting) == count


def test_one_that_waits_is_called_again(patient):
    before = _thread._count()
    first = do()
    for _ in range(50):
        wait_for_waiting(1)
        assert do() == first
        assert _thread._count() == before + 1
    assert first != threading.get_ident()


def test_it_ends_by_itself():
    before = _thread._count()
    do()
    wait_for_thread_count(before)
    assert not _helpers._waiting
    assert not _helpers._alive


def test_one_that_cannot_be_started_is_not_waited_for(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        _helpers.start(print)
    assert not _helpers._alive


def test_helpers_are_as_many_as_there_is_work_at_the_same_time(patient):
    before = _thread._count()
    for _ in range(3):
        all_of_them = threading.Barrier(4)
        for _ in range(3):
            _helpers.start(partial(all_of_them.wait, 10))
        all_of_them.wait(10)
        wait_for_waiting(3)
        assert _thread._count() == before + 3


def test_one_that_waits_keeps_nothing_of_what_it_has_done(patient):
    class Work:
        def __call__(self):
            pass

    for _ in range(2):
        work = Work()
        held = weakref.ref(work)
        do(work)
        wait_for_waiting(1)
        del work
        assert held() is None


def test_all_is_done_whenever_it_comes(monkeypatch):
    """Also while a helper is about to end, for which it has been waiting."""
    monkeypatch.setattr(_helpers, "_PATIENCE", 0.0001)
    done = []
    for number in range(3000):
        _helpers.start(lambda number=number: done.append(number))
        deadline = time.monotonic() + 10
        while len(done) <= number and time.monotonic() < deadline:
            time.sleep(0)
        assert done[-1] == number
        pause = time.perf_counter() + (number % 30) * 1e-5
        while time.perf_counter() < pause:
            time.sleep(0)


def test_one_that_is_taken_and_told_nothing_ends(patient, monkeypatch):
    """So it is when an interruption comes in between."""
    monkeypatch.setattr(_helpers, "_LONGEST", 0.1)
    do()
    wait_for_waiting(1)
    _helpers._waiting.pop()
    assert len(_helpers._alive) == 1
    deadline = time.monotonic() + 10
    while _helpers._alive and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not _helpers._alive


def test_a_child_has_none_of_its_parents():
    code = """if True:
        import os, sys, warnings
        warnings.simplefilter("ignore")  # CPython 3.12 warns of any thread
        import numpy as np
        from pyoutliers import _helpers, detect
        _helpers._PATIENCE = 2.0
        x = np.zeros(1_000_000)
        x[7] = 1
        detect(x, threads=2)
        while not _helpers._waiting:
            pass
        child = os.fork()
        if child == 0:
            os._exit(len(_helpers._waiting) + (detect(x, threads=2) != [7]))
        print(len(_helpers._waiting), os.waitpid(child, 0)[1])
        """
    assert in_a_fresh_process(code).stdout == "1 0\n"


def test_python_ends_well_right_after_a_call():
    """In CPython 3.11.2 a helper that came to work afterwards crashed one of five processes."""
    code = """if True:
        import numpy as np
        from pyoutliers import detect
        x = np.zeros(1_000_000)
        x[7] = 1
        for _ in range(3):
            assert detect(x, threads=2) == [7]
        """
    for _ in range(15):
        in_a_fresh_process(code, "-X", "dev", "-W", "ignore")


def test_more_signals_while_helpers_are_waited_for_end_no_sooner_than_these():
    code = """if True:
        import signal, threading, time
        from pyoutliers import _passes
        from pyoutliers._jobs import do_all

        numbers = signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
        main = threading.main_thread().ident
        both = threading.Barrier(2)
        is_over = []

        def share(*_):
            both.wait(10)
            if threading.get_ident() != main:
                time.sleep(0.2)
                for number in numbers:
                    signal.pthread_kill(main, number)
                    time.sleep(PAUSE)
                time.sleep(0.5)
                is_over.append(True)

        _passes.SAMPLES_PER_THREAD = _passes._GROUP = 1
        for call in (
            lambda: do_all([share, share], 2),
            lambda: _passes.go_through(2, share, lambda *_: None, block=1, threads=2),
        ):
            try:
                call()
            except KeyboardInterrupt:
                print(is_over)
            is_over.clear()
        """
    for pause in ("0", "0.05"):
        result = in_a_fresh_process(code.replace("PAUSE", pause))
        assert (result.stdout, result.stderr) == ("[True]\n[True]\n", "")
