"""The detection in Swift, called from Python: in this process, or in one of its own.

Nothing of the rest of the package needs this, and importing it needs neither the library nor the
program: they are looked for by the first call.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import omits_nan, sequence_array, threads_count, threshold_value
from ._moments import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    import numpy.typing as npt

    from ._arguments import AnyBuffer

__all__ = ["ProgramError", "detect", "detect_process"]

_PACKAGE = Path(__file__).resolve().parent
_BUILDS = [str(_PACKAGE.parent / ".build" / kind) for kind in ("release", "debug")]
_NON_FINITE = 1
# The program takes no more, and more are of no use.
_MOST_THREADS = 256


class ProgramError(RuntimeError):
    """The program failed, or printed no result.

    Parameters
    ----------
    returncode : int
        What it ended with; less than zero is the signal that ended it.
    stderr : str
        What it wrote to standard error.
    problem : str
        What happened.

    Attributes
    ----------
    returncode : int
        As above.
    stderr : str
        As above.
    """

    def __init__(self, returncode: int, stderr: str, problem: str) -> None:
        super().__init__(returncode, stderr, problem)
        self.returncode = returncode
        self.stderr = stderr
        self._problem = problem

    def __str__(self) -> str:
        """Tell the return code and what the program said.

        Returns
        -------
        str
            One line, if the program said one.
        """
        said = self.stderr.strip() or "nothing on standard error"
        return f"the program {self._problem} (return code {self.returncode}): {said}"


def detect(
    samples: Sequence[float] | AnyBuffer,
    *,
    threshold: float = 2.0,
    nan: str = "raise",
    threads: int = 1,
) -> npt.NDArray[np.int64]:
    """Return the indices of the outliers, found by the Swift library in this process.

    Parameters
    ----------
    samples : sequence or array
        One dimension of real numbers. An array or any other buffer is read where it is, strided
        and read-only ones too; a list is converted.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.
    threads : int
        On how many threads Swift works at most; on fewer where there is less than half a million
        samples for each. The answer is the same.

    Returns
    -------
    numpy.ndarray
        Indices, ascending, in memory of their size.

    Raises
    ------
    TypeError
        If the samples are of a type that `pyoutliers.detect` does not accept, or `threads` is not
        an integer.
    ValueError
        If they are not one-dimensional, one is not finite and `nan` is ``"raise"``, or
        `threshold`, `nan` or `threads` is out of its range.
    FileNotFoundError
        If there is no library: the message says where it was looked for and how to build it.
    OSError
        If it cannot be loaded, or is another one.

    Notes
    -----
    The library is the one that ``OUTLIERS_NATIVE_LIBRARY`` names, else ``libOutliersNative.so`` in
    the folder of this package, else in ``.build`` of the checkout around it. The first that is
    found serves from then on. The GIL is released while Swift runs, which nothing interrupts.
    """
    array = sequence_array(samples)
    threshold, omit = threshold_value(threshold), omits_nan(nan)
    threads = min(threads_count(threads), _MOST_THREADS)
    function = _library_function()
    result = ctypes.c_int64()
    room = _likely_most(array.size, threshold)
    while True:
        # Memory that is never touched costs nothing.
        indices = np.empty(room, np.int64)
        status = function(
            array.ctypes.data,
            array.size,
            array.strides[0],
            ord(array.dtype.kind),
            array.itemsize,
            threshold,
            omit,
            indices.ctypes.data,
            room,
            ctypes.byref(result),
            threads,
        )
        if status == _NON_FINITE:
            refuse(array, 0, result.value)
        if status:
            raise SystemError(f"outliers_detect returned {status}")
        if result.value <= room:
            indices.resize(result.value, refcheck=False)
            return indices
        room = result.value


def detect_process(
    samples_or_path: Sequence[float] | AnyBuffer | str | os.PathLike[str],
    *,
    threshold: float = 2.0,
    nan: str = "raise",
    threads: int = 1,
    program: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
) -> npt.NDArray[np.int64]:
    """Return the indices of the outliers, found by the program ``outliers`` in its own process.

    Parameters
    ----------
    samples_or_path : sequence, array or path
        One dimension of real numbers, which the program is given as doubles in a ``.npy`` file,
        its standard input; or the path of a file that it opens itself.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.
    threads : int
        As for `detect`.
    program : path, optional
        The program; otherwise the one that ``OUTLIERS_PROGRAM`` names, else ``outliers`` on the
        ``PATH``, else in ``.build`` of the checkout around this package.
    timeout : float, optional
        Seconds after which the program is killed.

    Returns
    -------
    numpy.ndarray
        Indices, ascending.

    Raises
    ------
    ProgramError
        If the program fails, as it does for bad data, or prints no result.
    FileNotFoundError
        If there is no program: the message says where it was looked for and how to build it.
    subprocess.TimeoutExpired
        If it took too long.
    TypeError
        If the samples are of a type that `pyoutliers.detect` does not accept, or `threads` is not
        an integer.
    ValueError
        If they are not one-dimensional, or `threshold`, `nan` or `threads` is out of its range.
    """
    threshold, _ = threshold_value(threshold), omits_nan(nan)
    threads = min(threads_count(threads), _MOST_THREADS)
    command = [_program(program), "detect", "--engine", "native", "--json"]
    command += [f"--threshold={threshold!r}", f"--nan={nan}", f"--threads={threads}"]
    with contextlib.ExitStack() as stack:
        source: IO[bytes] | int = subprocess.DEVNULL
        if isinstance(samples_or_path, (str, os.PathLike)):
            command += ["--", os.fspath(samples_or_path)]
        else:
            array = sequence_array(samples_or_path)
            command += ["--format=npy", "-"]
            source = stack.enter_context(tempfile.TemporaryFile())
            np.save(source, array.astype(np.float64, copy=False))
            source.seek(0)
        ended = subprocess.run(
            command, stdin=source, capture_output=True, check=False, timeout=timeout
        )
    stderr = ended.stderr.decode(errors="replace")
    if ended.returncode:
        raise ProgramError(ended.returncode, stderr, "failed")
    try:
        return np.array(json.loads(ended.stdout)["indices"], np.int64)
    except (ValueError, TypeError, KeyError) as error:
        raise ProgramError(ended.returncode, stderr, "printed no result") from error


def _likely_most(size: int, threshold: float) -> int:
    """By Chebyshev's inequality; rounding may lead to more, where squares underflow."""
    return size if threshold <= 1 else min(size, int(size / threshold / threshold) + 1)


@functools.lru_cache(maxsize=1)
def _library_function() -> Callable[..., int]:
    path = _library()
    try:
        function = ctypes.CDLL(path).outliers_detect
    except OSError as error:
        raise OSError(f"{path} cannot be loaded: {error}") from None
    except AttributeError:
        raise OSError(f"{path} is not OutliersNative: it has no outliers_detect") from None
    integer, pointer = ctypes.c_int64, ctypes.c_void_p
    function.argtypes = [pointer, integer, integer, ctypes.c_uint8, integer]
    function.argtypes += [ctypes.c_double, ctypes.c_bool, pointer, integer, pointer, ctypes.c_int32]
    function.restype = ctypes.c_int32
    return function


def _library() -> str:
    return _found(
        "libOutliersNative.so",
        os.environ.get("OUTLIERS_NATIVE_LIBRARY"),
        [str(_PACKAGE)],
        "the folder of pyoutliers",
        "OUTLIERS_NATIVE_LIBRARY",
    )


def _program(given: str | os.PathLike[str] | None) -> str:
    return _found(
        "outliers",
        os.environ.get("OUTLIERS_PROGRAM") if given is None else os.fspath(given),
        os.get_exec_path(),
        "PATH",
        "OUTLIERS_PROGRAM",
    )


def _found(name: str, named: str | None, folders: list[str], place: str, variable: str) -> str:
    """Find the file that is named, else `name` in `folders` or in the build of the checkout."""
    paths = [named] if named else [os.path.join(folder, name) for folder in (*folders, *_BUILDS)]
    for path in paths:
        if os.path.isfile(path):
            return os.path.abspath(path)
    looked = f"{named} is not there" if named else f"{name} is not in {place}, nor in a build of it"
    raise FileNotFoundError(
        f"{looked}: run `make native` in a checkout of python-bridge, and set {variable} to the "
        f"path of its .build/release/{name}"
    )
