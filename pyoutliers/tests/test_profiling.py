"""The picture of a profile."""

import json
from xml.etree import ElementTree

import pytest

from pyoutliers.profiling import plot_profile

SVG = "{http://www.w3.org/2000/svg}"


def groups(path):
    return {group.get("id") for group in ElementTree.parse(path).iter(f"{SVG}g")}


def resident(size):
    return {"anonymous": size, "sharedMemoryShare": size // 2, "file": 0}


def reading(seconds, child=None):
    host = resident(int(seconds * 1e8))
    return {"seconds": seconds, "host": host, "child": child and resident(child), "heap": 1 << 20}


def phase(name, start, end, python=None):
    traced = python and {"current": python, "peak": 2 * python}
    return {
        "name": name,
        "start": start,
        "end": end,
        "memory": reading(end),
        "python": traced,
    }


DOCUMENT = {
    "samples": 1234567,
    "engines": [
        {
            "engine": "embedded",
            "phases": [phase("samples", 0.1, 0.2), phase("first pass", 0.2, 0.9, python=1 << 20)],
            "readings": [reading(0.0), reading(0.5)],
        },
        {
            "engine": "worker",
            "phases": [phase("first pass", 0.1, 0.9)],
            "readings": [reading(0.3, child=5 << 20)],
        },
    ],
    "summary": [{"engine": "embedded", "extraMemory": 3 << 19}],
}


def test_each_engine_has_its_panel(tmp_path):
    path = tmp_path / "a.svg"
    plot_profile(DOCUMENT, path)
    expected = {"embedded", "embedded-host-anonymous", "embedded-host-sharedMemoryShare"}
    expected |= {"embedded-heap", "embedded-python", "worker", "worker-child-anonymous"}
    assert groups(path) >= expected
    # What nobody has is not drawn.
    assert not groups(path) & {"embedded-host-file", "embedded-child-anonymous", "worker-python"}
    text = path.read_text()
    for words in ["embedded: 1.5 MiB for the detection", "1,234,567 samples", "first pass"]:
        assert words in text


def test_text_is_read_as_json(tmp_path):
    plot_profile(json.dumps(DOCUMENT), str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_layers_lie_on_one_another(tmp_path):
    from matplotlib.figure import Figure

    from pyoutliers.profiling import _draw

    axes = Figure().add_subplot()
    _draw(axes, DOCUMENT["engines"][0])
    bottom, top = (collection.get_paths()[0].vertices for collection in axes.collections[:2])
    assert bottom[:, 1].max() == pytest.approx(0.9e8 / (1 << 20))
    assert top[:, 1].max() == pytest.approx(1.35e8 / (1 << 20))
    # The layer above begins where the one below ends.
    assert top[:, 1].min() == 0


@pytest.mark.parametrize("document", ["{}", {"engines": []}, "nonsense"])
def test_what_is_no_profile_is_refused(tmp_path, document):
    with pytest.raises(ValueError, match=r"no engine in it|Expecting value"):
        plot_profile(document, tmp_path / "a.svg")


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        plot_profile(DOCUMENT, tmp_path / "a.pdf")
