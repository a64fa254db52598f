"""What the first pass notes of zones spares the second one work, and changes no result."""

import numpy as np
import pytest

from pyoutliers import _moments, detect_into
from pyoutliers._moments import moments_of
from pyoutliers._scratch import BLOCK
from pyoutliers._search import Search
from pyoutliers._zones import ZONE, ZoneMap

from .reference import found_in, one_liner

SIZE = 12 * BLOCK + ZONE // 2


@pytest.fixture(params=[False, True], autouse=True)
def fits(request, monkeypatch):
    """Whether the second-level cache has room for spans, or all is noted at once."""
    monkeypatch.setattr(_moments, "_FITS", request.param)


@pytest.fixture(params=[False, True])
def several_blocks(request, monkeypatch):
    """Whether samples that are one block have several."""
    if request.param:
        monkeypatch.setattr(_moments, "_WHOLE", 0)
        monkeypatch.setattr(_moments, "_BLOCK", 4 * BLOCK)


def noted(samples, threshold=2.0):
    """A search of the samples, and which zones it has to go through."""
    zones = ZoneMap(samples, threshold)
    moments = moments_of(samples, False, zones=zones)
    search = Search(samples, *moments, threshold, zones)
    return search, search._open


def calm(size=SIZE, dtype=np.float64):
    return (100 * np.random.default_rng(11).random(size)).astype(dtype)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u1", "i8"])
def test_only_zones_with_outliers_are_searched(dtype, threads, monkeypatch):
    monkeypatch.setattr("pyoutliers._passes.SAMPLES_PER_THREAD", BLOCK)
    x = calm(dtype=dtype)
    places = [3, ZONE - 1, ZONE, 5 * BLOCK - 1, 5 * BLOCK, 7 * BLOCK + 3 * ZONE, SIZE - 1]
    x[places] = 255 if dtype == "u1" else 120_000
    _, is_open = noted(x)
    assert set(is_open.nonzero()[0]) == {place // ZONE for place in places}
    assert found_in(x, threads=threads) == places == one_liner(x).tolist()


@pytest.mark.parametrize(
    "size", [SIZE, *(n * BLOCK + k for n in (12, 24) for k in (0, 1, 511, 513))]
)
def test_the_last_samples_are_noted_whatever_their_number(size):
    x = calm(size)
    _, is_open = noted(x)
    assert is_open.size == -(-size // ZONE)
    assert not is_open.any()
    for value in (1e4, -1e4):
        x[-1] = value
        assert found_in(x) == [size - 1]


@pytest.mark.parametrize("start", [0, -50, 50, -1000])
def test_zones_are_searched_on_the_sides_that_have_outliers(start):
    x = calm() + start
    above, below = [7, 3 * ZONE, SIZE - 2], [8, 4 * ZONE, SIZE - 3]
    x[above] += 1000
    x[below] -= 1000
    search, _ = noted(x)
    assert set(search._above.nonzero()[0]) == {place // ZONE for place in above}
    assert set(search._below.nonzero()[0]) == {place // ZONE for place in below}
    assert found_in(x) == sorted(above + below) == one_liner(x).tolist()


@pytest.mark.parametrize("step", [-1, 3])
def test_strided_samples_are_noted_too(step):
    x = calm(3 * SIZE)[::step]
    # The last one of a zone too, which numpy before 2.2 may leave out.
    places = [0, 4 * ZONE, 7 * ZONE - 1, x.size - 1]
    x[places] = -90_000
    assert np.count_nonzero(noted(x)[1]) <= 4
    assert found_in(x) == places


def test_an_outlier_at_any_place_around_the_edge_of_a_zone_is_found():
    x = calm(3 * BLOCK + 5)
    for edge in (ZONE, BLOCK, 2 * BLOCK, x.size - 5):
        for place in range(edge - 3, edge + 4):
            y = x.copy()
            y[place] = 1e6
            assert found_in(y) == [place]


def test_zones_that_are_calm_by_themselves_only(several_blocks):
    """Each block is of one value, nearly; most are far from the mean of all."""
    steps = np.repeat([0.0, 0, 0, 0, 0, 900, 0, 0, 0, 0, 0, 0], BLOCK)
    x = steps + np.random.default_rng(12).random(steps.size)
    expected = np.arange(5 * BLOCK, 6 * BLOCK)
    assert one_liner(x).tolist() == expected.tolist()
    found = np.empty(x.size, np.int64)
    assert (found[: detect_into(x, found)] == expected).all()


def test_where_most_zones_have_outliers_few_notes_are_taken():
    x = np.random.default_rng(13).normal(size=200 * BLOCK)
    zones = ZoneMap(x, 2.0)
    moments_of(x, False, zones=zones)
    share = np.count_nonzero(np.isfinite(zones._least)) / zones._least.size
    assert 0 < share < 0.1
    assert found_in(x) == one_liner(x).tolist()


def test_the_first_samples_tell_whether_to_begin_with_a_pause():
    x = calm(40 * BLOCK)
    x[:256], x[:20], x[20:40] = 50, 0, 100
    # Nothing is known of these, which have no outliers.
    assert noted(x)[1].nonzero()[0].tolist() == list(range(16 * BLOCK // ZONE))
    assert found_in(x) == []
    for outside in (-50, 50):
        x[:256], x[:5] = 1, outside
        assert noted(x)[1].nonzero()[0].tolist() == list(range(16 * BLOCK // ZONE))
        assert found_in(x) == one_liner(x).tolist()
    x[:256] = 50
    x[:3] = 1e4
    assert noted(x)[1].nonzero()[0].tolist() == [0]
    assert found_in(x) == one_liner(x).tolist() == [0, 1, 2]


def test_notes_are_taken_again_after_a_wild_start():
    x = calm(200 * BLOCK)
    x[: 20 * BLOCK] = np.random.default_rng(14).normal(50, 400, 20 * BLOCK)
    _, is_open = noted(x)
    # The first two pauses, and what was noted in between.
    assert np.count_nonzero(is_open) < (16 + 8 + 64 + 2) * (BLOCK // ZONE)
    assert found_in(x) == one_liner(x).tolist()


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("value", [-1e4, -0.0, -1e-40, 0.0, 1e4])
def test_signs_in_a_zone_of_samples_that_are_above_zero_elsewhere(value, dtype, several_blocks):
    """Those that have none are ordered by their bits."""
    x = calm(dtype=dtype)
    for place in (0, 8 * BLOCK - 1, 8 * BLOCK + 5, SIZE - ZONE, SIZE - 1):
        y = x.copy()
        y[place] = value
        expected = [place] if abs(value) > 1 else []
        assert found_in(y) == one_liner(y).tolist() == expected
        y[5 * BLOCK + 7] = 1e4
        assert found_in(y) == one_liner(y).tolist()
    # Both in the last zone, which is less than one.
    x[-9], x[-5] = value, 1e4
    assert found_in(x) == one_liner(x).tolist()
    assert SIZE - 5 in found_in(x)


@pytest.mark.parametrize("level", [0, 30, 1000])
def test_the_least_matters_where_the_lower_bound_is_above_zero(level, several_blocks):
    x = calm() + level
    x[[4 * BLOCK, 9 * BLOCK]] = [0, level + 1000]
    _, is_open = noted(x)
    expected = one_liner(x).tolist()
    assert found_in(x) == expected
    # What is left over at the end, and at most the zones of these two.
    assert np.count_nonzero(is_open) <= 3
    assert (4 * BLOCK in expected) == (level > 0)


def test_a_level_that_rises_is_noted_as_well(several_blocks):
    x = calm() + np.repeat([0, 0, 0, 0, 0, 0, 400, 400, 400, 400, 400, 400, 400], BLOCK)[:SIZE]
    x[11 * BLOCK] = 5000
    assert found_in(x) == one_liner(x).tolist() == [11 * BLOCK]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_block_with_what_is_not_finite_is_searched(value, several_blocks):
    x = calm()
    x[6 * BLOCK + 9] = value
    x[[6 * BLOCK + 8, 9 * BLOCK]] = 1e6
    assert found_in(x, nan="omit") == [6 * BLOCK + 8, 9 * BLOCK]


@pytest.mark.parametrize("value", [0.0, 7.5, -1e300])
def test_constant_samples_need_no_search(value):
    _, is_open = noted(np.full(4 * BLOCK, value))
    assert not is_open.any()


def test_halves_are_searched_without_notes():
    x = calm(dtype=np.float16)
    x[[5, BLOCK]] = 30_000
    assert noted(x)[1].all()
    assert found_in(x) == [5, BLOCK]
