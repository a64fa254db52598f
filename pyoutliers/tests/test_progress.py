"""How far a detection is, told to a callable."""

import numpy as np
import pytest

from pyoutliers import _results, _scratch, detect, detect_allocating, detect_into
from pyoutliers._scratch import BLOCK

from .reference import found_in, one_liner

MILLION = 16 * BLOCK


def series(size, every=1000):
    x = np.random.default_rng(size).normal(size=size)
    x[::every] = 1e3
    return x


def allocating(x, **options):
    return detect_allocating(x, lambda count: np.empty(count, np.int64), **options).tolist()


@pytest.fixture(params=[detect, found_in, allocating])
def function(request):
    return request.param


def told(function, x, **options):
    """What the progress is told, and the result."""
    calls = []
    found = function(x, progress=lambda *call: calls.append(call), **options)
    return calls, found


def test_two_passes_are_told_about_once_per_million(function):
    size = 3 * MILLION + 5
    x = series(size)
    calls, found = told(function, x)
    steps = [MILLION, 2 * MILLION, 3 * MILLION, size]
    done = steps + [size + step for step in steps]
    assert calls == [(step, 2 * size) for step in done]
    assert found == one_liner(x).tolist()


@pytest.mark.parametrize("size", [0, 1, BLOCK, MILLION // 2])
def test_little_is_told_at_the_end_of_each_pass(function, size):
    calls, _ = told(function, series(size))
    assert calls[-1] == (2 * size, 2 * size)
    assert calls[:-1] == ([(size, 2 * size)] if size else [])


def test_a_search_for_more_outliers_than_are_remembered_is_a_pass_more(monkeypatch):
    monkeypatch.setattr(_results, "_MOST_BYTES", 2**17)
    size = MILLION + 7
    x = series(size, every=10)
    calls, found = told(allocating, x, threshold=1.5)
    done = [MILLION, size, size + MILLION, size + 2 * MILLION, 3 * size]
    assert calls == list(zip(done, [2 * size] * 3 + [3 * size] * 2))
    assert found == one_liner(x, 1.5).tolist()


def test_squares_that_overflow_are_a_pass_more():
    size = 3 * BLOCK
    x = np.where(np.arange(size) % 2, 1e200, -1e200)
    calls, found = told(found_in, x)
    assert calls[0] == (size, 2 * size)
    assert calls[-1] == (3 * size, 3 * size)
    assert found == []


def test_what_it_raises_comes_back_at_once(function):
    class Stopped(BaseException):
        pass

    calls = []

    def stop(*call):
        calls.append(call)
        raise Stopped

    with pytest.raises(Stopped):
        function(series(5 * MILLION), progress=stop)
    assert calls == [(MILLION, 10 * MILLION)]


def test_what_it_raises_at_the_end_comes_back(function):
    def stop(done, total):
        if done == total:
            raise StopIteration("at the end")

    with pytest.raises(StopIteration, match="at the end"):
        function(series(100), progress=stop)


def test_nothing_is_told_of_samples_that_are_refused(function):
    x = series(100)
    x[7] = np.nan
    calls = []
    with pytest.raises(ValueError, match="7"):
        function(x, progress=calls.append)
    assert calls == []


def test_it_may_detect_itself(function):
    # At each step the outer detection has found some, which the inner one must leave alone.
    x, inner = series(3 * MILLION, every=500), series(20 * BLOCK, every=100)
    expected = one_liner(inner).tolist()
    nested = []

    def progress(done, total):
        nested.append(detect(inner, progress=lambda *_: detect(series(9))) == expected)

    assert function(x, progress=progress) == one_liner(x).tolist()
    assert nested == [True] * 6


def test_the_scratch_comes_back_from_a_detection_that_ended_within():
    detect(series(9))
    before = [id(spare) for spare in _scratch._spare]
    with pytest.raises(ZeroDivisionError):
        detect(series(2 * MILLION), progress=lambda done, total: 1 // 0)
    assert [id(spare) for spare in _scratch._spare] == before
    assert before


def test_numpy_warns_in_it_as_it_does_outside():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        detect_into(series(9), np.empty(9, np.int64), progress=lambda *_: np.float64(1) / 0)


@pytest.mark.parametrize("progress", [1, "print", [print]])
def test_what_cannot_be_called_is_refused(function, progress):
    with pytest.raises(TypeError, match="progress must be callable"):
        function(series(9), progress=progress)
