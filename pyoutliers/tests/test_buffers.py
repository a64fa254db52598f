"""Buffers in, buffers out, and nothing else of any size."""

import sys
import tracemalloc

import numpy as np
import pytest

from pyoutliers import _scratch, detect_allocating, detect_into, moments
from pyoutliers._scratch import BLOCK

from .reference import found_in, one_liner

TYPES = ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
FORMATS = "dfbBhHiIlL"


def typed(dtype, size=2 * BLOCK + 5):
    """Samples of any type, with outliers."""
    x = np.random.default_rng(1).integers(10, 20, size).astype(dtype)
    x[[3, BLOCK - 1, BLOCK, size - 1]] = 100
    return x


@pytest.mark.parametrize("dtype", TYPES)
def test_every_real_type_is_accepted(dtype):
    assert found_in(typed(dtype)) == [3, BLOCK - 1, BLOCK, 2 * BLOCK + 4]


@pytest.mark.parametrize("code", FORMATS)
def test_read_only_memoryviews_are_accepted(code):
    view = memoryview(typed(code)).toreadonly()
    assert view.format == code
    assert found_in(view) == [3, BLOCK - 1, BLOCK, 2 * BLOCK + 4]


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_narrow_floats_are_computed_in_float64(dtype):
    x = (1000 + np.random.default_rng(2).normal(size=5000)).astype(dtype)
    assert found_in(x) == one_liner(x.astype(np.float64)).tolist()
    assert moments(x)[1] == pytest.approx(x.astype(np.float64).std(), rel=1e-12)


@pytest.mark.parametrize("step", [2, 3, -1, -2])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_strided_samples_are_accepted(step, dtype):
    x = typed(dtype)[::step]
    assert found_in(memoryview(x)) == one_liner(x).tolist()


def test_a_column_of_a_table_is_accepted():
    table = np.random.default_rng(3).normal(size=(BLOCK + 9, 3))
    assert found_in(table[:, 1]) == one_liner(table[:, 1]).tolist()


def test_unaligned_samples_are_accepted():
    x = typed("f8")
    shifted = np.frombuffer(b"x" + x.tobytes(), np.float64, offset=1)
    assert not shifted.flags.aligned
    assert found_in(shifted) == found_in(x)


def test_results_land_in_the_callers_memory():
    memory = bytearray(8 * 10)
    indices = memoryview(memory).cast("l")
    assert detect_into(memoryview(typed("f8")), indices) == 4
    expected = np.array([3, BLOCK - 1, BLOCK, 2 * BLOCK + 4, 0, 0, 0, 0, 0, 0], np.int64)
    assert memory == expected.tobytes()


@pytest.mark.parametrize("step", [2, -1])
def test_results_land_in_strided_memory(step):
    memory = np.full(20, -1, np.int64)
    assert detect_into(typed("f8"), memory[::step]) == 4
    assert memory[::step][:4].tolist() == [3, BLOCK - 1, BLOCK, 2 * BLOCK + 4]
    assert np.count_nonzero(memory != -1) == 4


@pytest.mark.parametrize("dtype", TYPES)
def test_samples_are_not_changed(dtype):
    x = typed(dtype)
    before = x.copy()
    found_in(x)
    assert (x == before).all()


@pytest.mark.parametrize("found", [0, 1, 7])
def test_indices_of_exactly_the_right_size_suffice(found):
    x = np.zeros(1000)
    x[:found] = 9
    assert found_in(x, room=found) == list(range(found))


@pytest.mark.parametrize("room", [0, 1, 3])
def test_too_small_indices_raise_and_say_how_many_were_needed(room):
    with pytest.raises(ValueError, match=f"4 needed, it holds {room}"):
        detect_into(typed("f8"), np.empty(room, np.int64))


def test_a_table_column_can_take_the_results_of_its_neighbour():
    table = np.zeros((30, 2), np.int64)
    table[5, 0] = 9
    assert detect_into(table[:, 0], table[:, 1]) == 1
    assert table[0, 1] == 5


def test_nothing_keeps_the_buffers_after_the_call():
    samples, indices = typed("f8"), np.empty(10, np.int64)
    counts = sys.getrefcount(samples), sys.getrefcount(indices)
    detect_into(samples, indices)
    moments(samples)
    assert (sys.getrefcount(samples), sys.getrefcount(indices)) == counts


def peak(size, dtype, nan):
    """The most memory that one call has at a time, in bytes."""
    samples = np.random.default_rng(4).normal(size=size).astype(dtype)
    if nan:
        samples[::1000] = np.nan
    indices = np.empty(size // 4 + 1, np.int64)
    tracemalloc.start()
    try:
        detect_into(samples, indices, nan="omit")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_memory_does_not_grow_with_the_data(dtype, nan):
    peak(3_000_000, dtype, nan)  # the thread's scratch and numpy's caches
    small, large = peak(3_000_000, dtype, nan), peak(6_000_000, dtype, nan)
    assert large < 2 * 2**20
    assert abs(large - small) < 16 * 2**10


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2"])
def test_ten_million_samples_take_less_than_two_megabytes(dtype, threads):
    samples = (np.random.default_rng(6).normal(size=10_000_000) * 1000).astype(dtype)
    indices = np.empty(samples.size // 4 + 1, np.int64)
    peaks = []
    for function, target in (
        (detect_into, indices),
        (detect_allocating, lambda count: indices[:count]),
    ):
        _scratch._spare.clear()
        tracemalloc.start()
        try:
            function(samples, target, threads=threads)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    assert max(peaks) < 2 * 2**20
