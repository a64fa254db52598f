"""The picture."""

import math
import tracemalloc
from xml.etree import ElementTree

import numpy as np
import pytest

from pyoutliers import detect, gen_testdata, moments, plot
from pyoutliers.plotting import _line

from .reference import in_a_fresh_process

SVG = "{http://www.w3.org/2000/svg}"
PARTS = {"series", "outliers", "mean", "lower-bound", "upper-bound"}


def draw(data, path, nan="raise", **options):
    x = np.asarray(data)
    mean, deviation = moments(x, nan=nan)
    outliers = detect(x, nan=nan)
    plot(x, outliers, path, mean=mean, standard_deviation=deviation, **options)


def parts(path):
    groups = ElementTree.parse(path).iter(f"{SVG}g")
    return {group.get("id"): group for group in groups if group.get("id") in PARTS}


def markers(path):
    return sum(1 for _ in parts(path)["outliers"].iter(f"{SVG}use"))


def test_a_png_is_written(tmp_path):
    path = tmp_path / "a.png"
    draw(gen_testdata(), path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(path.read_bytes()[16:20], "big") == 1500


@pytest.mark.parametrize("name", ["a.svg", "a.SVG"])
def test_an_svg_holds_the_series_its_outliers_and_the_bounds(tmp_path, name):
    path = tmp_path / name
    draw(gen_testdata(), str(path), title="Three far away")
    assert set(parts(path)) == PARTS
    assert markers(path) == 3
    assert "Three far away" in path.read_text()


def test_without_outliers_there_is_no_marker(tmp_path):
    draw([1.0, 2.0], tmp_path / "a.svg")
    assert markers(tmp_path / "a.svg") == 0


@pytest.mark.parametrize("data", [[], [math.nan], [1.0]])
def test_hardly_any_data_is_drawn_too(tmp_path, data):
    path = tmp_path / "a.svg"
    draw(np.array(data, float), path, nan="omit")
    assert "series" in parts(path)
    assert ("mean" in parts(path)) == (data == [1.0])


@pytest.mark.parametrize("size", [10, 30_000])
def test_samples_that_are_not_finite_leave_gaps(size):
    x = np.ones(size)
    x[size // 3 : size // 2] = math.nan
    x[-size // 5 :] = math.inf
    _, heights = _line(x)
    gaps = np.flatnonzero(np.diff(np.isnan(heights).astype(int)))
    assert gaps.size == 3
    assert np.nanmax(heights) == 1


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_the_envelope_of_a_long_series_keeps_its_extremes(dtype):
    x = np.random.default_rng(0).integers(0, 100, 100_003).astype(dtype)
    x[54_321], x[-1] = 1000, -1000
    positions, heights = _line(x)
    assert (heights.max(), heights.min()) == (1000, -1000)
    assert abs(positions[heights.argmax()] - 54_321) < 100
    assert positions.size == heights.size == 2400


def test_a_series_of_ten_million_costs_little_memory(tmp_path):
    x = np.zeros(10_000_000, np.float32)
    x[::1000] = np.random.default_rng(0).normal(size=10_000)
    draw(gen_testdata(), tmp_path / "a.png")  # matplotlib's own caches
    tracemalloc.start()
    plot(x, [0, 5_000_000], tmp_path / "a.png", mean=0, standard_deviation=0.03)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 2


def test_many_outliers_are_thinned_out(tmp_path):
    x = np.random.default_rng(0).normal(size=1_000_000)
    outliers = detect(x)
    assert len(outliers) > 40_000
    draw(x, tmp_path / "a.svg")
    assert 1200 < markers(tmp_path / "a.svg") <= 2400
    assert f"{len(outliers)} outliers" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", ["a.pdf", "a", "png"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        draw([1.0, 2.0], tmp_path / name)


@pytest.mark.parametrize("indices", [[3], [-1], [1, 0], [1, 1], [[0]]])
def test_indices_that_do_not_fit_are_refused(tmp_path, indices):
    with pytest.raises(ValueError, match="indices must be"):
        plot(np.zeros(3), indices, tmp_path / "a.png", mean=0, standard_deviation=0)


def test_indices_that_are_no_integers_are_refused(tmp_path):
    with pytest.raises(TypeError, match="indices must be integers"):
        plot(np.zeros(3), [0.5], tmp_path / "a.png", mean=0, standard_deviation=0)


def test_pyplot_and_its_global_state_are_not_loaded(tmp_path):
    code = f"""if True:
        import sys, pyoutliers
        pyoutliers.plot(bytes(9), [], {str(tmp_path / "a.png")!r}, mean=0, standard_deviation=0)
        print("matplotlib.figure" in sys.modules, "matplotlib.pyplot" in sys.modules)
    """
    assert in_a_fresh_process(code).stdout == "True False\n"
