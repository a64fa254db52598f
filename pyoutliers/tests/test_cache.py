"""What Linux tells of the second-level cache."""

import pytest

from pyoutliers import _cache


@pytest.mark.parametrize(("text", "size"), [("2048K\n", 2**21), ("512K", 2**19), ("many\n", 0)])
def test_its_size_is_read(text, size, tmp_path, monkeypatch):
    path = tmp_path / "size"
    path.write_text(text)
    monkeypatch.setattr(_cache, "_SECOND_LEVEL", path)
    assert _cache.second_level_cache() == size


def test_it_is_nothing_where_linux_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "_SECOND_LEVEL", tmp_path / "size")
    assert _cache.second_level_cache() == 0
