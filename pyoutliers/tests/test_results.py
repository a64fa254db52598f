"""The result is the one-liner's."""

import math

import numpy as np
import pytest
import scipy.stats

from pyoutliers import detect, moments
from pyoutliers._scratch import BLOCK

from .reference import exact_moments, found_in, one_liner, within_rounding

SHAPES = {
    "normal": lambda rng, n: rng.normal(3, 2, n),
    "uniform": lambda rng, n: rng.random(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "constant": lambda rng, n: np.full(n, rng.normal()),
    "far from zero": lambda rng, n: 1e9 + rng.normal(size=n),
    "alternating": lambda rng, n: np.where(np.arange(n) % 2, 1.0, -1.0) * rng.random(),
    "few values": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-140,
    "trend": lambda rng, n: np.linspace(-1e3, 1e6, n) ** 3,
}
SIZES = (0, 1, 2, 3, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17)
SEEDS = (0, 1, 2)
THRESHOLDS = (2.0, 1.0, 2.5)


def series(shape, size, seed):
    return SHAPES[shape](np.random.default_rng([seed, size, len(shape)]), size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_only_samples_within_rounding_differ_from_the_one_liner(shape, size):
    for seed, threshold in zip(SEEDS, THRESHOLDS):
        x = series(shape, size, seed)
        disagreeing = set(found_in(x, threshold=threshold)) ^ set(one_liner(x, threshold).tolist())
        assert disagreeing <= set(within_rounding(x, threshold).tolist())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", SIZES[3:])
@pytest.mark.parametrize("shape", SHAPES)
def test_only_samples_within_rounding_differ_from_zscore(shape, size):
    for seed, threshold in zip(SEEDS, THRESHOLDS):
        x = series(shape, size, seed)
        expected = np.flatnonzero(np.abs(scipy.stats.zscore(x)) > threshold)
        disagreeing = set(found_in(x, threshold=threshold)) ^ set(expected.tolist())
        assert disagreeing <= set(within_rounding(x, threshold).tolist())


@pytest.mark.parametrize("shape", ["normal", "heavy tails", "far from zero", "trend"])
def test_the_excluded_band_is_narrow(shape):
    x = series(shape, 24_593, 0)
    assert one_liner(x).size > 20
    assert within_rounding(x).size < 5


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e12])
@pytest.mark.parametrize("size", [2, 1000, BLOCK + 1])
def test_moments_keep_their_digits_far_from_zero(offset, size):
    x = offset + np.random.default_rng(size).normal(size=size)
    mean, deviation = moments(x)
    exact_mean, exact_deviation = exact_moments(x)
    assert mean == pytest.approx(exact_mean, rel=4e-16, abs=1e-14)
    assert deviation == pytest.approx(exact_deviation, rel=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e300, 1e-310, 1e308])
@pytest.mark.parametrize("size", [1, 7, 10 * BLOCK + 1])
def test_constant_data_deviates_by_exactly_nothing(value, size):
    x = np.full(size, value)
    assert moments(x) == (value, 0.0)
    assert found_in(x) == []


def test_empty_data_has_no_outliers_and_no_moments():
    assert found_in(np.empty(0)) == []
    assert all(math.isnan(moment) for moment in moments(np.empty(0)))


def test_a_sample_at_exactly_two_deviations_is_no_outlier():
    assert detect([0, 0, 0, 0, 1]) == []
    assert detect([0, 0, 0, 0, 0, 1]) == [5]


def test_both_sides_count():
    assert detect([0.0] * 20 + [9.0, -9.0]) == [20, 21]


def test_threshold_zero_finds_all_that_differ_from_the_mean():
    assert detect([1, 2, 3], 0) == [0, 2]


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_outliers_at_the_edges_of_blocks_are_found(blocks):
    x = np.random.default_rng(0).random(blocks * BLOCK + 3)
    edges = [edge for block in range(blocks + 1) for edge in (block * BLOCK - 1, block * BLOCK)]
    expected = sorted({edge % x.size for edge in edges})
    x[expected] += 1e4
    assert found_in(x) == expected


@pytest.mark.parametrize("data", [[1e200, -1e200, 0.0], [1.7e308, -1.7e308] * 9, [1e308, 0.0] * 9])
def test_finite_data_whose_squares_overflow_has_no_outliers(data):
    mean, deviation = moments(np.array(data))
    assert mean == pytest.approx(float(np.sum(np.array(data) / len(data))))
    assert deviation == math.inf
    assert found_in(np.array(data)) == []
    assert found_in(np.array(data), threshold=0) == []


@pytest.mark.parametrize("data", [[0] * 9 + [5], (0,) * 9 + (5,), np.array([0] * 9 + [5], "u1")])
def test_detect_takes_any_sequence(data):
    result = detect(data)
    assert result == [9]
    assert type(result) is list
    assert type(result[0]) is int


def test_detect_takes_ranges_and_bytes():
    assert detect(range(10), 1.5) == [0, 9]
    assert detect(bytearray([0] * 9 + [5])) == [9]
    assert detect([]) == []
