"""The picture of a soak."""

from xml.etree import ElementTree

import pytest

from pyoutliers.soaking import plot_soak

SVG = "{http://www.w3.org/2000/svg}"
PARTS = {"resident", "slope", "plateau", "trimmed"}
CALLS = [0, 100, 200, 300]
RESIDENT = [30 << 20, 31 << 20, 31 << 20, 32 << 20]


def groups(path):
    return {group.get("id") for group in ElementTree.parse(path).iter(f"{SVG}g")}


def test_everything_that_is_known_is_drawn(tmp_path):
    path = tmp_path / "a.svg"
    plot_soak(
        CALLS,
        RESIDENT,
        path,
        line=[[100, 31e6], [300, 32e6]],
        plateau=31 << 20,
        trimmed=[[100, 30e6], [300, 30e6]],
        title="no leak at all",
    )
    assert groups(path) >= PARTS
    assert "no leak at all" in path.read_text()


def test_what_is_not_known_is_left_out(tmp_path):
    path = tmp_path / "a.svg"
    plot_soak([0], [1 << 20], path)
    assert groups(path) & PARTS == {"resident"}


def test_a_png_is_written(tmp_path):
    plot_soak(CALLS, RESIDENT, str(tmp_path / "a.PNG"))
    assert (tmp_path / "a.PNG").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_few_pages_look_like_little(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    original = Figure.savefig

    def savefig(self, *arguments, **options):
        seen.append(self.axes[0].get_ylim())
        original(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    plot_soak(CALLS, [(30 << 20) + 4096 * n for n in range(4)], tmp_path / "a.svg")
    plot_soak(CALLS, [n << 20 for n in range(0, 40, 10)], tmp_path / "a.svg")
    (low, high), (bottom, top) = seen
    assert high - low == pytest.approx(1)
    assert bottom == 0
    assert 30 < top < 33


def test_other_endings_and_unequal_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        plot_soak(CALLS, RESIDENT, tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="there are 4 calls, but 3 readings"):
        plot_soak(CALLS, RESIDENT[1:], tmp_path / "a.svg")
