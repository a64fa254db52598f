"""Detection in a mapped file whose pages are given up."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from pyoutliers import detect_allocating
from pyoutliers._mapped import detect_mapped

from .reference import one_liner

MEBIBYTE = 1 << 20


def allocate(count):
    return np.empty(count, np.int64)


@pytest.fixture
def mapping(tmp_path):
    """A mapped file of 64 MiB of samples, shown as a worker shows it."""
    path = tmp_path / "x.f64"
    x = np.zeros(8 * MEBIBYTE)
    x[::100_000] = 9
    x.tofile(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        yield mapped, x


def resident():
    """The bytes of files that this process has mapped and touched. Source: proc_pid_status(5)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssFile:"))


def most_resident(detect, mapped):
    """How much more is resident while the progress is told, at most, and the result."""
    before, most = resident(), []
    samples = memoryview(mapped).cast("d").toreadonly()
    found = detect(samples, allocate, progress=lambda *_: most.append(resident() - before))
    samples.release()
    return max(most), found.tolist()


def test_hardly_a_page_is_resident_when_the_progress_is_told(mapping):
    mapped, x = mapping
    most, found = most_resident(detect_mapped, mapped)
    assert most < 16 * MEBIBYTE
    assert found == one_liner(x).tolist()
    assert most_resident(detect_allocating, mapped)[0] > 48 * MEBIBYTE


@pytest.mark.parametrize("kind", [np.asarray, memoryview])
def test_other_memory_is_left_alone(kind):
    x = np.r_[np.zeros(100), 9.0]
    calls = []
    found = detect_mapped(kind(x), allocate, progress=lambda *call: calls.append(call), nan="omit")
    assert found.tolist() == [100]
    assert calls[-1] == (202, 202)
