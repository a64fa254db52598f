"""The package installed by pip in an environment of its own, with and without the Swift side."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyoutliers import native

from .reference import PARENT

SERIES = "[0] * 9 + [5]"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs code in a fresh environment, without what the tests' own names; returns both outputs."""
    folder = tmp_path_factory.mktemp("installed")
    executable = folder / "env/bin/python"
    install = [executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    subprocess.run([*install, PARENT / "pyoutliers"], check=True)
    names = ("OUTLIERS_PROGRAM", "OUTLIERS_NATIVE_LIBRARY", "VIRTUAL_ENV", "PYTHONPATH", "PATH")
    clean = {name: value for name, value in os.environ.items() if name not in names}

    def run(code, **environment):
        command = [executable, "-c", f"import pyoutliers; {code}"]
        ended = subprocess.run(
            command, cwd=folder, env={**clean, **environment}, capture_output=True, text=True
        )
        return ended.stdout, ended.stderr

    return run


def test_the_package_works_without_the_swift_side(python):
    assert python(f"print(pyoutliers.detect({SERIES}))") == ("[9]\n", "")


def test_the_package_does_not_load_the_swift_side(python):
    loaded = "import sys; print('pyoutliers.native' in sys.modules, 'ctypes' in sys.modules)"
    assert python(loaded)[0].startswith("False")


@pytest.mark.parametrize(
    ("function", "variable", "file"),
    [
        ("detect", "OUTLIERS_NATIVE_LIBRARY", "libOutliersNative.so"),
        ("detect_process", "OUTLIERS_PROGRAM", "outliers"),
    ],
)
def test_what_is_missing_is_told_in_one_line(python, function, variable, file):
    output, error = python(f"from pyoutliers import native; native.{function}({SERIES})")
    last = error.splitlines()[-1]
    assert output == ""
    assert last.startswith("FileNotFoundError: ")
    assert "`make native`" in last
    assert last.endswith(f" set {variable} to the path of its .build/release/{file}")


@pytest.mark.parametrize(
    ("function", "variable", "find"),
    [
        ("detect", "OUTLIERS_NATIVE_LIBRARY", native._library),
        ("detect_process", "OUTLIERS_PROGRAM", lambda: native._program(None)),
    ],
)
def test_the_swift_side_is_used_where_it_is_named(python, function, variable, find):
    code = f"from pyoutliers import native; print(native.{function}({SERIES}).tolist())"
    assert python(code, **{variable: find()}) == ("[9]\n", "")


def test_the_library_is_found_in_the_folder_of_the_package(python):
    folder = Path(python("print(pyoutliers.__path__[0])")[0].strip())
    copy = Path(shutil.copy(native._library(), folder))
    try:
        code = f"from pyoutliers import native; print(native.detect({SERIES}).tolist())"
        assert python(code) == ("[9]\n", "")
    finally:
        copy.unlink()
