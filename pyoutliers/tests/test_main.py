"""The program: `python -m pyoutliers`."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from pyoutliers import gen_testdata

from .reference import PARENT, one_liner


def program(request, *arguments, **options):
    """Run it on text, or on what becomes JSON."""
    text = request if isinstance(request, (str, bytes)) else json.dumps(request)
    return subprocess.run(
        [sys.executable, "-m", "pyoutliers", *arguments],
        cwd=PARENT,
        input=text if isinstance(text, bytes) else text.encode(),
        stderr=subprocess.PIPE,
        **{"stdout": subprocess.PIPE, **options},
    )


def reply(request):
    result = program(request)
    assert (result.returncode, result.stderr) == (0, b"")
    return json.loads(result.stdout)


def test_the_outliers_and_the_moments_come_back():
    samples = gen_testdata()
    found = reply({"samples": samples})
    assert found["indices"] == [7, 113, 835]
    assert found["mean"] == pytest.approx(np.mean(samples))
    assert found["standardDeviation"] == pytest.approx(np.std(samples))
    assert list(found) == ["indices", "mean", "standardDeviation"]


@pytest.mark.parametrize("threshold", [0, 1, 2.5, 1e300])
def test_the_threshold_is_heeded(threshold):
    samples = np.random.default_rng(3).normal(size=500)
    found = reply({"samples": samples.tolist(), "threshold": threshold})
    assert found["indices"] == one_liner(samples, threshold).tolist()


def test_threads_find_the_same():
    samples = np.random.default_rng(4).normal(size=500).tolist()
    assert reply({"samples": samples, "threads": 2}) == reply({"samples": samples})


def test_what_json_does_not_have_travels_as_python_writes_it():
    request = '{"samples": [NaN, 0, 0, 0, 0, 0, 9, Infinity, -Infinity], "nan": "omit"}'
    assert reply(request)["indices"] == [6]
    found = reply({"samples": []})
    assert found["indices"] == []
    assert math.isnan(found["mean"])
    assert reply({"samples": [1e200, -1e200]})["standardDeviation"] == math.inf


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"samples": [1]} x', "Extra data"),
        (b"\xff\xfe\x00", "codec can't decode"),
        ("[" * 100_000, "recursion"),
        ("[1, 2]", 'the request must be an object with "samples"'),
        ("{}", 'the request must be an object with "samples"'),
        ('{"samples": [1], "treshold": 3}', "unknown key 'treshold'"),
        ('{"samples": 5}', "must be a sequence"),
        ('{"samples": "12"}', "must be a sequence of numbers"),
        ('{"samples": [1, "2"]}', "data[1] is str"),
        ('{"samples": [1, null]}', "data[1] is NoneType"),
        ('{"samples": [[1], [2]]}', "one-dimensional"),
        ('{"samples": [1, NaN]}', "samples[1] is NaN: use nan='omit'"),
        ('{"samples": [1], "threshold": -1}', "threshold must be zero or more"),
        ('{"samples": [1], "threshold": "2"}', "threshold must be a number"),
        ('{"samples": [1], "nan": "skip"}', "nan must be 'raise' or 'omit'"),
        ('{"samples": [1], "threads": 0}', "threads must be one or more"),
        ('{"samples": [1], "threads": 1.5}', "threads must be an integer"),
    ],
)
def test_bad_data_is_told_in_one_line(request_text, message):
    result = program(request_text)
    lines = result.stderr.decode().splitlines()
    assert (result.returncode, result.stdout, len(lines)) == (65, b"", 1)
    assert lines[0].startswith("pyoutliers: ")
    assert message in lines[0]


def test_an_argument_is_wrong_usage():
    result = program({"samples": [1]}, "file.json")
    assert (result.returncode, result.stdout) == (64, b"")
    assert result.stderr == b"pyoutliers: unexpected argument 'file.json' (see --help)\n"


def test_help_says_what_it_reads():
    result = program("", "--help")
    assert result.returncode == 0
    assert b'"standardDeviation"' in result.stdout


def test_no_memory_is_told_in_one_line():
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "sys.argv[1:] = []; runpy.run_module('pyoutliers', run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PARENT,
        input=b'{"samples": [' + b"1," * 60_000_000 + b"1]}",
        capture_output=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
    )
    assert (result.returncode, result.stderr) == (69, b"pyoutliers: no memory left\n")


def test_a_reply_that_cannot_be_written_is_told_in_one_line():
    with open("/dev/full", "w") as full:
        result = program({"samples": [1, 2]}, stdout=full)
    assert result.returncode == 73
    assert result.stderr == b"pyoutliers: the reply cannot be written: No space left on device\n"
