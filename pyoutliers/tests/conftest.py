"""What several of the tests set up."""

import pytest

from pyoutliers import _moments, _passes, _search, _zones, detection


@pytest.fixture
def small_blocks(monkeypatch):
    """Little data takes all ways: many blocks, several parts and rows each, searched by words."""
    for module in (_moments, _passes, _search):
        monkeypatch.setattr(module, "BLOCK", 1024)
    for module in (_search, _zones):
        monkeypatch.setattr(module, "ZONE", 128)
    for name, value in {
        "PART": 256,
        "_ROW": 64,
        "_LINE": 64,
        "_BLOCK": 2048,
        "_PROBE": 32,
        "_CACHED": 0,
    }.items():
        monkeypatch.setattr(_moments, name, value)
    monkeypatch.setattr(_zones, "_LIKELY", 2)
    monkeypatch.setattr(detection, "_FEW", 256)
    monkeypatch.setattr(_search, "_FEW", 64)
    monkeypatch.setattr(_passes, "SAMPLES_PER_THREAD", 1)
    monkeypatch.setattr(_passes, "_GROUP", 2048)
