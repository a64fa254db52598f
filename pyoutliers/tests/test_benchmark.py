"""The picture of a benchmark."""

import json
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from pyoutliers.benchmark import plot_benchmark

SVG = "{http://www.w3.org/2000/svg}"


def row(engine, median, extra=1 << 20, threads=1):
    return {
        "engine": engine,
        "threads": threads,
        "median": median,
        "lowerQuartile": 0.9 * median,
        "upperQuartile": 1.2 * median,
        **({} if extra is None else {"peakExtraBytes": extra}),
    }


def report(*sizes):
    return json.dumps({"sizes": [{"samples": n, "engines": rows} for n, *rows in sizes]})


def parts(path):
    groups = ElementTree.parse(path).iter(f"{SVG}g")
    return {group.get("id"): group for group in groups if "-" in (group.get("id") or "")}


def points(path, part):
    return sum(1 for _ in parts(path)[part].iter(f"{SVG}use"))


def test_each_engine_has_a_line_for_its_time_and_one_for_its_memory(tmp_path):
    path = tmp_path / "a.svg"
    small = (1000, row("native", 1e-6), row("one-liner", 3e-5))
    plot_benchmark(report(small, (10**7, row("native", 0.05), row("one-liner", 0.2))), path)
    expected = {"time-native", "time-one-liner", "memory-native", "memory-one-liner"}
    assert expected <= set(parts(path))
    for part in ("memory-native", "memory-one-liner"):
        assert points(path, part) == 2
    for word in ("native", "one-liner", "samples", "1 MiB"):
        assert word in path.read_text()


def test_a_png_is_written(tmp_path):
    plot_benchmark(report((1000, row("native", 1e-6))), str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_an_engine_may_lack_a_size_or_its_memory(tmp_path):
    path = tmp_path / "a.svg"
    rows = [row("native", 1e-6, extra=None), row("embedded", 1e-5, extra=0)]
    plot_benchmark(report((1000, *rows), (2000, row("native", 2e-6))), path)
    assert points(path, "memory-native") == 1
    assert points(path, "memory-embedded") == 1


def test_an_engine_on_several_threads_is_drawn_by_itself(tmp_path):
    path = tmp_path / "a.svg"
    rows = [row("native", 0.05), row("native", 0.03, threads=2)]
    plot_benchmark(report((1000, rows[0]), (10**7, *rows)), path)
    assert points(path, "memory-native") == 2
    assert points(path, "memory-native, 2 threads") == 1


def test_an_engine_of_another_name_is_drawn_too(tmp_path):
    plot_benchmark(report((1000, row("free-threaded", 1e-6))), tmp_path / "a.svg")
    assert "time-free-threaded" in parts(tmp_path / "a.svg")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sizes": 5}', '{"sizes": [{"engines": [{}]}]}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"no report|Expecting value"):
        plot_benchmark(text, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.pdf", "a"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        plot_benchmark(report((1000, row("native", 1e-6))), tmp_path / name)


@pytest.mark.parametrize("count", [1, 6, 8])
def test_the_legend_fits_into_the_picture(tmp_path, monkeypatch, count):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    rows = [row("embedded", 1e-5, threads=threads) for threads in range(1, count + 1)]
    plot_benchmark(report((1000, *rows)), tmp_path / "a.png")
    figure = figures[0]
    figure.draw_without_rendering()
    assert figure.bbox.x0 <= figure.legends[0].get_window_extent().x0
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1
