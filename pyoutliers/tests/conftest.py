"""What several of the tests set up."""

import _thread
import time

import pytest

from pyoutliers import _helpers, _moments, _passes, _search, _zones, detection


@pytest.fixture
def small_blocks(monkeypatch):
    """Little data takes all ways: many blocks, several parts and rows each, searched by words."""
    for module in (_moments, _passes, _search):
        monkeypatch.setattr(module, "BLOCK", 1024)
    for module in (_search, _zones):
        monkeypatch.setattr(module, "ZONE", 128)
    for name, value in {
        "PART": 256,
        "_ROW": 64,
        "_LINE": 64,
        "_SPAN": 2048,
        "_LONG_SPAN": 2048,
        "_BLOCK": 4096,
        "_PROBE": 32,
        "_WHOLE": 0,
    }.items():
        monkeypatch.setattr(_moments, name, value)
    monkeypatch.setattr(_zones, "_LIKELY", 2)
    monkeypatch.setattr(detection, "_FEW", 256)
    monkeypatch.setattr(_search, "_FEW", 64)
    monkeypatch.setattr(_passes, "SAMPLES_PER_THREAD", 1)
    monkeypatch.setattr(_passes, "_GROUP", 2048)


def wait_for_thread_count(count):
    """Wait until no more threads are there: one that has done its work waits for more, and ends."""
    deadline = time.monotonic() + 10
    while _thread._count() > count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert _thread._count() <= count


# Before any test.
THREADS = _thread._count()


@pytest.fixture
def no_thread_is_left():
    wait_for_helpers()
    yield
    wait_for_helpers()


def wait_for_helpers():
    # One does not count as a thread until it has come, which may be after the call that started it,
    # and never if the test kept it from being started.
    deadline = time.monotonic() + 0.2
    while _helpers._alive and time.monotonic() < deadline:
        time.sleep(0.001)
    _helpers._alive.clear()
    wait_for_thread_count(THREADS)
