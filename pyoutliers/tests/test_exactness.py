"""Two bounds give to the last bit what a distance for each sample would."""

import math

import numpy as np
import pytest

from pyoutliers import detect_into, moments
from pyoutliers._bounds import bounds

from .reference import exact_moments, found_in, one_liner

FLOATS = ["f8", "f4", "f2"]
INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
TINY = 5e-324
HUGE = float(np.finfo(float).max)


def outlying(samples, mean, limit):
    """What defines an outlier, sample by sample."""
    with np.errstate(over="ignore"):
        return np.abs(samples.astype(np.float64) - mean) > limit


def neighbours(values, dtype):
    """Samples from four units in the last place below each value to four above it."""
    with np.errstate(over="ignore"):
        near = [np.asarray(values, np.float64).astype(dtype)]
        for direction in (-math.inf, math.inf):
            step = near[0]
            for _ in range(4):
                step = np.nextafter(step, dtype.type(direction))
                near.append(step)
    near = np.unique(np.concatenate(near))
    return near[np.isfinite(near)]


def places(rng, dtype):
    """A mean and a limit of any magnitudes that samples of the type can have."""
    info = np.finfo(dtype)
    low, high = math.log10(float(info.smallest_subnormal)), math.log10(float(info.max)) - 1
    mean, limit = 10 ** rng.uniform(low, high, 2)
    kind = rng.integers(4)
    if kind == 0:
        limit = abs(mean) * (1 + rng.integers(-3, 4) * 2.0**-52)
    elif kind == 1:
        limit = min(float(mean) * 2.0 ** int(rng.integers(-60, 60)), float(info.max))
    return float(mean * rng.choice([-1, 1])), float(limit)


@pytest.mark.parametrize("code", FLOATS)
def test_samples_beside_the_bounds_are_told_apart(code):
    rng, dtype = np.random.default_rng(6), np.dtype(code)
    for _ in range(3000):
        mean, limit = places(rng, dtype)
        least, greatest = bounds(mean, limit, dtype)
        assert least.dtype == greatest.dtype == dtype
        near = neighbours([mean - limit, mean + limit, mean, 0, least, greatest], dtype)
        found = (near < least) | (near > greatest)
        assert (found == outlying(near, mean, limit)).all(), (mean, limit)


@pytest.mark.parametrize(
    ("mean", "limit"),
    [
        (0.0, 0.0),
        (0.1, 0.0),
        (1.0, TINY),
        (TINY, TINY),
        (-TINY, 3 * TINY),
        (2.0**-1022, 2.0**-1022),
        (1.0, 2.0**-53),
        (1.0, 1.0),
        (-1.0, 1 + 2.0**-52),
        (-1.0, 1 - 2.0**-53),
        (2.0**53, 0.5),
        (2.0**53, 1.5),
        (HUGE, HUGE),
        (-HUGE, HUGE),
        (HUGE, 0.0),
        (HUGE / 2, HUGE / 2),
        (HUGE, 2.0**969),
        (0.0, math.inf),
    ],
)
def test_special_bounds_tell_apart(mean, limit):
    dtype = np.dtype("f8")
    least, greatest = bounds(mean, limit, dtype)
    ends = np.clip([least, greatest], -HUGE, HUGE)
    near = neighbours([mean, *ends, 0, TINY, -TINY, 1, HUGE, -HUGE], dtype)
    assert (((near < least) | (near > greatest)) == outlying(near, mean, limit)).all()


@pytest.mark.parametrize("code", INTEGERS)
def test_integers_beside_the_bounds_are_told_apart(code):
    rng, info = np.random.default_rng(7), np.iinfo(code)
    ends = float(info.min), float(info.max)
    for number in range(450):
        mean = rng.uniform(*ends) if number % 4 else float(rng.choice([*ends, 0.0, ends[1] / 2]))
        limit = 10 ** rng.uniform(-2, math.log10(ends[1])) * (number % 3)
        if number % 5 == 0:
            limit, mean = float(round(limit)), float(round(mean))
        least, greatest = bounds(mean, limit, np.dtype(code))
        assert least.dtype == greatest.dtype == np.dtype(code)
        middles = [int(least), int(greatest), int(min(max(mean, info.min), info.max))]
        near = {
            middle + step for middle in middles for step in range(-2100, 2101, 1 + 6 * (number % 9))
        }
        near = np.array(sorted(n for n in near if info.min <= n <= info.max), code)
        found = (near < least) | (near > greatest)
        assert (found == outlying(near, mean, limit)).all(), (mean, limit)


SERIES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "a small spread far from zero": lambda rng, n: 1e9 + rng.normal(size=n) * 1e-3,
    "constant": lambda rng, n: np.full(n, 0.1),
    "one that differs": lambda rng, n: np.where(np.arange(n) == n // 2, 1.0, 0.1),
    "denormal": lambda rng, n: rng.integers(-1000, 1000, n) * TINY,
    "huge": lambda rng, n: rng.normal(size=n) * 1e152,
    "two values": lambda rng, n: np.where(np.arange(n) % 2, 1.0, -1.0),
    "a walk": lambda rng, n: rng.normal(size=n).cumsum(),
    "steps": lambda rng, n: np.repeat(rng.normal(size=-(-n // 700)) * 1e6, 700)[:n],
    "a far first": lambda rng, n: np.where(np.arange(n), 20 + rng.normal(size=n), 1e12),
    "clusters": lambda rng, n: rng.normal(size=n) * np.where(np.arange(n) % 900 < 100, 9, 1),
    "small integers": lambda rng, n: rng.integers(0, 100, n),
}
SIZES = [1, 2, 65, 1000, 1023, 1024, 1025, 3003, 7777]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SERIES)
def test_the_definition_holds_to_the_last_bit(small_blocks, shape, threads):
    for size in SIZES:
        series = SERIES[shape](np.random.default_rng(size), size)
        for x in (series, np.repeat(series, 2)[::2]):
            mean, deviation = moments(x, threads=threads)
            for threshold in (0, 0.5, 1, 2, 3):
                expected = np.flatnonzero(outlying(x, mean, threshold * deviation)).tolist()
                assert found_in(x, threshold=threshold, threads=threads) == expected


@pytest.mark.parametrize("code", FLOATS + INTEGERS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_definition_holds_for_every_type_at_its_extremes(small_blocks, code, threads):
    dtype = np.dtype(code)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    rng = np.random.default_rng(8)
    ends = [np.full(9, info.max, dtype), np.array([info.min] * 3000 + [info.max], dtype)]
    ends.append(np.array([info.max] * 3000 + [info.min], dtype))
    ends.append(rng.integers(0, 100, 5000).astype(dtype))
    if dtype.kind != "f":
        ends.append(rng.integers(info.min, info.max, 5000, dtype, endpoint=True))
        ends.append(np.array(info.max - rng.integers(0, 9, 5000).astype(dtype), dtype))
    for x in ends:
        mean, deviation = moments(x, threads=threads)
        for threshold in (0, 1, 1.7, 2):
            expected = np.flatnonzero(outlying(x, mean, threshold * deviation)).tolist()
            if not math.isfinite(deviation):
                expected = []
            assert found_in(x, threshold=threshold, threads=threads) == expected


@pytest.mark.parametrize("shape", [name for name in SERIES if name not in ("denormal", "huge")])
def test_moments_are_those_of_exact_arithmetic(small_blocks, shape):
    for size in SIZES:
        x = SERIES[shape](np.random.default_rng(size), size)
        mean, deviation = moments(x)
        exact_mean, exact_deviation = exact_moments(x)
        assert mean == pytest.approx(exact_mean, rel=1e-15, abs=1e-15 * np.abs(x).max())
        assert deviation == pytest.approx(exact_deviation, rel=2e-14, abs=1e-16)


@pytest.mark.parametrize("distance", [0.0, 1.0, 2.0, 2.6, 2.7, 4.0, 100.0, 1e6, 1e12])
def test_no_mean_costs_the_deviation_its_digits(distance):
    # Around 2.65 deviations is where the way to compute it changes.
    x = distance + np.random.default_rng(9).normal(size=50_000)
    assert moments(x)[1] == pytest.approx(exact_moments(x)[1], rel=3e-15, abs=0)


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e300, 1e-310, TINY, HUGE])
def test_constants_deviate_by_exactly_nothing_in_every_block(small_blocks, value):
    for size in SIZES:
        assert moments(np.full(size, value), threads=2) == (value, 0.0)
        assert found_in(np.full(size, value), threshold=0) == []


def test_all_that_differ_from_the_mean_are_written():
    x = np.random.default_rng(10).normal(size=1_000_003)
    indices = np.empty(x.size, np.int64)
    assert detect_into(x, indices, threshold=0) == x.size
    assert (indices == np.arange(x.size)).all()


@pytest.mark.parametrize("every", [3, 8, 17, 64, 1000, 70_000])
@pytest.mark.parametrize("size", [16_384, 65_541, 300_001])
def test_outliers_of_any_density_are_found(size, every):
    rng = np.random.default_rng(every)
    outliers = np.flatnonzero(rng.random(size) < 1 / every)
    x = rng.random(size) - 0.5
    x[outliers] += rng.choice([-3, 3], outliers.size)
    _, deviation = moments(x)
    assert found_in(x, threshold=2 / deviation) == outliers.tolist()


def test_a_few_samples_far_from_many_do_not_overflow():
    """The square of how far they are, times how many the others are, would."""
    x = (np.random.default_rng(1).random(2**20 + 1) - 0.5) * 1e150
    x[-1] = 3e152
    assert found_in(x) == [x.size - 1] == one_liner(x).tolist()
    assert moments(x) == pytest.approx((x.mean(), x.std()), rel=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_samples_next_to_the_least_normal_number_are_no_underflow_of_the_caller(dtype):
    least = float(np.finfo(dtype).tiny)
    with np.errstate(all="raise"):
        for factor in np.geomspace(0.01, 100, 99):
            x = np.zeros(100)
            x[3] = factor * least
            with np.errstate(under="ignore"):
                x = x.astype(dtype)
            assert found_in(x) == [3]
