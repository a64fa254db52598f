"""Results in memory that is asked for, exactly as much as they need."""

import tracemalloc

import numpy as np
import pytest

from pyoutliers import _results, detect, detect_allocating, detect_into
from pyoutliers._results import Remembered
from pyoutliers._scratch import BLOCK

from .reference import found_in, one_liner


class Allocator:
    """Gives memory, and remembers what it was asked for."""

    def __init__(self, extra=0, dtype=np.int64):
        self.requests = []
        self.extra = extra
        self.dtype = dtype

    def __call__(self, count):
        self.requests.append(count)
        self.result = np.full(count + self.extra, -1, self.dtype)
        return self.result


def series(size, outliers):
    """Samples of which every one of `outliers` lies far out."""
    x = np.random.default_rng(size).normal(size=size)
    x[outliers] = 1e3
    return x


@pytest.mark.parametrize("size", [0, 1, 2, 100, BLOCK, BLOCK + 1, 5 * BLOCK + 7])
def test_the_result_is_what_was_asked_for_and_detect_into_writes(size):
    x = series(size, slice(size // 2, size // 2 + size // 20))
    allocate = Allocator()
    found = detect_allocating(x, allocate)
    assert found is allocate.result
    assert found.tolist() == found_in(x) == detect(x) == one_liner(x).tolist()
    assert allocate.requests == [found.size]


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(_results, "_MOST_BYTES", 2**17)


def test_more_outliers_than_are_remembered_are_found_again(little_memory):
    x = series(30 * BLOCK, slice(0, None, 20))
    allocate = Allocator()
    assert detect_allocating(x, allocate, threshold=1.5).tolist() == one_liner(x, 1.5).tolist()
    assert allocate.requests[0] > 2**16


def test_options_are_those_of_detect_into():
    x = series(1000, [3, 700])
    x[10] = np.nan
    with pytest.raises(ValueError, match="10"):
        detect_allocating(x, Allocator())
    with pytest.raises(ValueError, match="threshold"):
        detect_allocating(x, Allocator(), threshold=-1)
    found = detect_allocating(x, Allocator(), threshold=5, nan="omit")
    assert found.tolist() == found_in(x, threshold=5, nan="omit") == [3, 700]


def test_nothing_is_asked_for_when_the_samples_are_refused():
    allocate = Allocator()
    with pytest.raises(TypeError):
        detect_allocating(["text"], allocate)
    assert allocate.requests == []


@pytest.mark.parametrize("extra", [-1, 1])
def test_memory_of_another_size_is_refused(extra):
    with pytest.raises(ValueError, match=r"allocate\(2\) returned a buffer of"):
        detect_allocating(series(100, [1, 2]), Allocator(extra))


@pytest.mark.parametrize("dtype", ["i4", "f8", ">i8"])
def test_memory_of_another_type_is_refused(dtype):
    with pytest.raises(TypeError, match="int64"):
        detect_allocating(series(100, [1, 2]), Allocator(dtype=dtype))


def test_what_allocate_raises_comes_back():
    def allocate(count):
        raise MemoryError(count)

    with pytest.raises(MemoryError, match="2"):
        detect_allocating(series(100, [1, 2]), allocate)


def test_allocate_may_detect_itself():
    x = series(100, [1, 2])

    def allocate(count):
        assert detect(series(500, [7])) == [7]
        return np.empty(count, np.int64)

    assert detect_allocating(x, allocate).tolist() == [1, 2]


def test_the_samples_cannot_be_the_result():
    x = np.array([0] * 50 + [100])
    with pytest.raises(ValueError, match="overlap"):
        detect_allocating(x, lambda count: x[:count])


@pytest.mark.parametrize("every", [20, 1_000_000])
def test_memory_beyond_the_result_does_not_grow(every, little_memory):
    def peak(size):
        x = series(size, slice(0, None, every))
        result = np.empty(detect_into(x, np.empty(size, np.int64), threshold=4), np.int64)
        tracemalloc.start()
        try:
            detect_allocating(x, lambda _: result, threshold=4)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100_000)  # the thread's scratch and numpy's caches
    assert abs(peak(20_000_000) - peak(2_000_000)) < 64 * 2**10


def test_samples_that_change_meanwhile_are_noticed(little_memory):
    x = series(30 * BLOCK, slice(0, None, 20))

    def allocate(count):
        x[: x.size // 2] = 0
        return np.empty(count, np.int64)

    with pytest.raises(RuntimeError, match="changed meanwhile"):
        detect_allocating(x, allocate, threshold=1.5)


def test_positions_that_are_near_each_other_are_remembered_as_one():
    remembered = Remembered()
    expected = []
    for start in (0, 8192, 57_344, 65_536, 131_000, 200_000):
        remembered.add(start, np.array([0, 7, 8000]))
        expected += [start, start + 7, start + 8000]
    assert remembered.count == len(expected)
    assert [start for start, _ in remembered.blocks] == [0, 65_536, 131_000, 200_000]
    assert [start + int(p) for start, some in remembered.blocks for p in some] == expected
