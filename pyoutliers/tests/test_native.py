"""Swift called from Python: the library in this process, the program in another."""

import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pyoutliers import detect, gen_testdata, native

from .reference import PARENT, in_a_fresh_process, one_liner, within_rounding
from .test_refusals import BAD, REFUSED

WAYS = pytest.mark.parametrize("way", [native.detect, native.detect_process])
DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]
LAYOUTS = {
    "contiguous": lambda x: x,
    "every third": lambda x: np.repeat(x, 3)[::3],
    "backwards": lambda x: x[::-1],
    "a column": lambda x: np.stack([x, x + 1], axis=1)[:, 0],
    "a field that is not aligned": lambda x: packed(x)["x"],
    "not aligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), x.dtype, offset=1),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype),
}


def packed(x):
    table = np.zeros(x.size, [("kind", "i1"), ("x", x.dtype)])
    table["x"] = x
    return table


def series(dtype, size=20_000):
    """A block and a part, which has part of a word of 64 and part of a vector."""
    return (np.random.default_rng(size).normal(60, 12, size)).astype(dtype)


# MARK: Answers


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_layout_is_accepted_where_it_is(dtype, layout):
    x = LAYOUTS[layout](series(dtype))
    expected = set(one_liner(x)) - set(within_rounding(x))
    found = set(native.detect(x).tolist()) - set(within_rounding(x))
    assert found == expected
    assert len(found) > 500


@pytest.mark.parametrize(
    "size", [*range(20), 63, 64, 65, 511, 512, 513, 16_383, 16_384, 16_385, 100_003]
)
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_the_library_agrees_with_numpy_at_every_length(size, threshold):
    x = np.random.default_rng(size).standard_t(2, size)
    difference = set(native.detect(x, threshold=threshold)) ^ set(one_liner(x, threshold))
    assert difference <= set(within_rounding(x, threshold).tolist())


@WAYS
def test_the_answer_is_that_of_detect(way):
    for data in ([], [5.0], [0, 0, 0, 0, 1], [1e200, -1e200, 0.0], range(9), gen_testdata()):
        found = way(data)
        assert found.dtype == np.int64
        assert found.tolist() == detect(data)


@WAYS
def test_more_outliers_than_chebyshev_allows_are_found(way):
    # The squares underflow, so that every sample is further away than no deviation.
    x = np.tile([1e-200, -1e-200], 500)
    assert way(x).tolist() == one_liner(x).tolist() == list(range(1000))


def test_the_indices_own_memory_of_their_size():
    found = native.detect(series("f8", 1_000_000))
    assert found.flags.owndata
    assert found.base is None
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("way", [native.detect, native.detect_process], ids=["library", "program"])
@pytest.mark.parametrize("threshold", [0, 1.5, 3])
def test_threshold_and_omission_are_passed_on(way, threshold):
    x = series("f8")
    x[[0, 7, 16_384, 19_999]] = [np.nan, np.inf, -np.inf, np.nan]
    expected = detect(x, threshold, nan="omit")
    assert way(x, threshold=threshold, nan="omit").tolist() == expected
    assert expected


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2"])
def test_the_answer_is_the_same_on_any_number_of_threads(dtype):
    x = series(dtype, 3_300_007)
    expected = native.detect(x)
    assert expected.size > 100_000
    for threads in (2, 3, 10**30):
        assert np.array_equal(native.detect(x, threads=threads), expected)
    assert np.array_equal(native.detect_process(x, threads=2), expected)


def test_the_first_bad_sample_is_named_whatever_thread_finds_it():
    x = np.zeros(3_300_007)
    x[1_650_000::1_000] = np.nan
    with pytest.raises(ValueError, match=r"^samples\[1650000\] is NaN"):
        native.detect(x, threads=3)
    x[:] = np.nan
    with pytest.raises(ValueError, match=r"^samples\[0\] is NaN"):
        native.detect(x, threads=2)


def test_the_samples_are_not_copied():
    code = """if True:
        import resource, numpy as np
        from pyoutliers import native
        x = np.ones(40_000_000)
        x[::1000] = 2
        native.detect(x[:1000])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for samples in (x, x[::-1], x.view("i8")):
            native.detect(samples, threshold=50)
            native.detect(samples, threshold=50, threads=3)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    # The samples are 305 MiB.
    assert int(in_a_fresh_process(code).stdout) < 10


def test_the_example_of_the_readme_runs(capsys):
    section = (PARENT / "README.md").read_text().split("## Python calls Swift")[1]
    exec(section.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out == "[7]\n[7]\n"


# MARK: Refusals


@pytest.mark.parametrize("position", [0, 1, 16_383, 16_384, 19_999])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
@pytest.mark.parametrize("name", BAD)
def test_the_first_bad_sample_is_named(name, dtype, position):
    x = np.zeros(20_000, dtype)
    x[position] = BAD[name]
    x[position + 1 :: 2] = np.nan
    for samples in (x, np.repeat(x, 2)[::2]):
        with pytest.raises(ValueError, match=rf"^samples\[{position}\] is {name}: use nan='omit'"):
            native.detect(samples)


@pytest.mark.parametrize("name", REFUSED)
@WAYS
def test_other_types_are_refused_by_name(way, name):
    with pytest.raises(TypeError, match=name):
        way(REFUSED[name])


@WAYS
@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros((2, 3)), {}, "one-dimensional"),
        ([1.0], {"threshold": -1}, "threshold must be zero or more"),
        ([1.0], {"threshold": np.nan}, "threshold must be zero or more"),
        ([1.0], {"nan": "ignore"}, "nan must be 'raise' or 'omit'"),
        ([1.0], {"threads": 0}, "threads must be one or more, not 0"),
        ([1.0], {"threads": -1}, "threads must be one or more, not -1"),
    ],
)
def test_wrong_arguments_are_refused(way, samples, options, message):
    with pytest.raises(ValueError, match=message):
        way(samples, **options)


@WAYS
def test_threads_that_are_no_integer_are_refused(way):
    with pytest.raises(TypeError, match="threads must be an integer, not float"):
        way([1.0], threads=1.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": ord("c")},
        {"kind": 0},
        {"size": 3},
        {"kind": ord("f"), "size": 1},
        {"threshold": -1.0},
        {"threshold": float("inf")},
        {"count": -1},
        {"capacity": -1},
        {"samples": None},
        {"indices": None},
        {"threads": 0},
        {"threads": -1},
    ],
)
def test_the_library_returns_2_for_a_wrong_argument(wrong):
    samples, indices, result = np.zeros(3), np.full(3, -1), np.full(1, -1)
    arguments = {
        "samples": samples.ctypes.data,
        "count": 3,
        "stride": 8,
        "kind": ord("f"),
        "size": 8,
        "threshold": 0.0,
        "omit": False,
        "indices": indices.ctypes.data,
        "capacity": 3,
        "result": result.ctypes.data,
        "threads": 1,
    }
    call = native._library_function()
    assert call(*{**arguments, **wrong}.values()) == 2
    assert result[0] == -1
    assert call(*arguments.values()) == 0
    assert result[0] == 0


# MARK: The GIL


def test_python_runs_while_swift_does():
    # One sample, many times: as many as it takes to keep Swift busy, without their memory.
    samples = np.broadcast_to(np.array(1.0), 300_000_000)
    turns, ended = [], threading.Event()

    def take_turns():
        while not ended.wait(0.001):
            turns.append(time.monotonic())

    thread = threading.Thread(target=take_turns)
    thread.start()
    start = time.monotonic()
    found = native.detect(samples)
    end = time.monotonic()
    ended.set()
    thread.join()
    assert found.size == 0
    # With the GIL held the thread has a turn at the start and one at the end.
    assert sum(start < turn < end for turn in turns) > 20


def test_two_detections_at_once_do_not_disturb_each_other():
    together = threading.Barrier(2)
    data = [series("f8", 3_000_017), series("f4", 2_000_011)[::-1]]
    expected = [detect(x) for x in data]

    def found_in(x):
        together.wait()
        return [native.detect(x).tolist() for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(found_in, data)) == [[indices] * 5 for indices in expected]


# MARK: The library


def test_the_library_needs_no_libpython_and_no_swift_runtime():
    path = native._library()
    needed = subprocess.run(["ldd", path], env={}, capture_output=True, text=True, check=True)
    assert "libc.so" in needed.stdout
    for missed in ("libpython", "libswift", "not found"):
        assert missed not in needed.stdout


def test_the_library_shows_nothing_of_its_swift_runtime():
    code = """if True:
        import ctypes
        from pyoutliers import native
        native.detect([1.0])
        library = ctypes.CDLL(native._library())
        print([hasattr(library, name) for name in ("outliers_detect", "swift_retain")])
    """
    assert in_a_fresh_process(code).stdout == "[True, False]\n"


@pytest.fixture
def no_library(monkeypatch):
    """Forget the library that was found, before and after."""
    native._library_function.cache_clear()
    yield monkeypatch
    native._library_function.cache_clear()


def test_a_library_that_is_not_there_is_named(no_library):
    no_library.setenv("OUTLIERS_NATIVE_LIBRARY", "/no/such.so")
    with pytest.raises(FileNotFoundError, match=r"^/no/such\.so is not there: .*[^\n]$"):
        native.detect([1.0])


def test_without_a_library_the_way_to_get_it_is_told(no_library):
    no_library.delenv("OUTLIERS_NATIVE_LIBRARY", raising=False)
    no_library.setattr(native, "_BUILDS", [])
    with pytest.raises(FileNotFoundError, match=r"`make native`.* OUTLIERS_NATIVE_LIBRARY to "):
        native.detect([1.0])
    no_library.undo()
    assert native.detect([0] * 9 + [5]).tolist() == [9]


def test_the_library_is_found_in_the_build_of_the_checkout(no_library, tmp_path):
    release, debug = tmp_path / "release", tmp_path / "debug"
    built = native._library()
    no_library.delenv("OUTLIERS_NATIVE_LIBRARY", raising=False)
    no_library.setattr(native, "_BUILDS", [str(release), str(debug)])
    for folder in (debug, release):
        folder.mkdir()
        shutil.copy(built, folder / "libOutliersNative.so")
        assert native._library() == str(folder / "libOutliersNative.so")


@pytest.mark.parametrize(
    ("content", "message"), [(b"text", "cannot be loaded"), (None, "has no outliers_detect")]
)
def test_another_library_is_refused(no_library, tmp_path, content, message):
    path = tmp_path / "libOutliersNative.so"
    if content is None:
        path.symlink_to(np.linalg._umath_linalg.__file__)
    else:
        path.write_bytes(content)
    no_library.setenv("OUTLIERS_NATIVE_LIBRARY", str(path))
    with pytest.raises(OSError, match=f"{path} .*{message}"):
        native.detect([1.0])


# MARK: The program


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("ending", [".npy", ".f64", ".json"])
def test_the_program_opens_a_path_itself(tmp_path, monkeypatch, ending):
    data = gen_testdata()
    # It looks like an option.
    path = tmp_path / f"-x{ending}"
    if ending == ".npy":
        np.save(path, data)
    elif ending == ".f64":
        np.array(data).tofile(path)
    else:
        path.write_text(str(data))
    monkeypatch.chdir(tmp_path)
    program = Path(native._program(None)).resolve()
    for form in (path, str(path), path.name):
        assert native.detect_process(form, program=program).tolist() == [7, 113, 835]


def test_a_failure_shows_standard_error_and_the_return_code():
    with pytest.raises(native.ProgramError) as failure:
        native.detect_process([0.0, np.nan])
    assert failure.value.returncode == 65
    assert "sample 1 is NaN" in failure.value.stderr
    assert str(failure.value).startswith("the program failed (return code 65): outliers: ")
    assert "\n" not in str(failure.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(native.ProgramError, match=r"return code 66.*no-such\.npy"):
        native.detect_process("no-such.npy")


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("echo warned >&2; exit 3", r"failed \(return code 3\): warned$"),
        ("exit 1", r"failed \(return code 1\): nothing on standard error$"),
        ("kill -SEGV $$", rf"failed \(return code -{signal.SIGSEGV.value}\)"),
        ("echo hello; echo odd >&2", r"printed no result \(return code 0\): odd$"),
        ("echo '[1]'", r"printed no result \(return code 0\)"),
        ("echo '{}'", r"printed no result \(return code 0\)"),
        ("""echo '{"indices": "many"}'""", r"printed no result \(return code 0\)"),
        ("true", r"printed no result \(return code 0\)"),
    ],
)
def test_a_program_that_fails_or_says_nonsense_is_an_error(tmp_path, does, message):
    with pytest.raises(native.ProgramError, match=message):
        native.detect_process([1.0], program=script(tmp_path / "outliers", does))


def test_what_the_program_warns_of_does_not_disturb_the_result(tmp_path):
    warns = script(tmp_path / "outliers", """echo warning >&2; echo '{"indices": [1, 2]}'""")
    assert native.detect_process([1.0], program=warns).tolist() == [1, 2]


def test_a_program_that_takes_too_long_is_killed(tmp_path):
    slow = script(tmp_path / "outliers", f"echo $$ > {tmp_path}/pid; exec sleep 100")
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        native.detect_process([1.0], program=slow, timeout=1)
    assert time.monotonic() - start < 20
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_the_program_is_looked_for_in_order(tmp_path, monkeypatch):
    folders = ["given", "named", "path", "release", "debug"]
    for value, folder in enumerate(folders):
        (tmp_path / folder).mkdir()
        script(tmp_path / folder / "outliers", f"""echo '{{"indices": [{value}]}}'""")
    monkeypatch.setenv("OUTLIERS_PROGRAM", str(tmp_path / "named/outliers"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(native, "_BUILDS", [str(tmp_path / "release"), str(tmp_path / "debug")])
    assert native.detect_process([1.0], program=tmp_path / "given/outliers").tolist() == [0]
    assert native.detect_process([1.0]).tolist() == [1]
    monkeypatch.delenv("OUTLIERS_PROGRAM")
    for value, folder in list(enumerate(folders))[2:]:
        assert native.detect_process([1.0]).tolist() == [value]
        shutil.rmtree(tmp_path / folder)
    with pytest.raises(FileNotFoundError, match=r"not in PATH.*`make native`.*release/outliers$"):
        native.detect_process([1.0])


def test_a_program_that_is_not_there_is_named(monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"^/no/program is not there: "):
        native.detect_process([1.0], program="/no/program")
    monkeypatch.setenv("OUTLIERS_PROGRAM", "/no/other")
    with pytest.raises(FileNotFoundError, match=r"^/no/other is not there: "):
        native.detect_process([1.0])


def test_the_program_runs_without_an_environment(tmp_path):
    # Nothing above the copy is an environment, and none is named.
    program = shutil.copy(native._program(None), tmp_path / "outliers")
    np.save(tmp_path / "x.npy", gen_testdata())
    command = [program, "detect", "--engine", "native", "--indices", "x.npy"]
    ended = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[7, 113, 835]\n", "", 0)
