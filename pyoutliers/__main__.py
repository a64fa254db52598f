"""Find the outliers of samples that come as JSON: `python -m pyoutliers < request > reply`.

The request is ``{"samples": [1.5, 2], "threshold": 2, "nan": "raise", "threads": 1}``; only the
samples are needed. The reply is ``{"indices": [], "mean": 1.75, "standardDeviation": 0.25}``. In
both, numbers that JSON does not have are as Python's `json` has them: ``NaN``, ``Infinity``,
``-Infinity``.

A failure is one line on standard error and an exit code: 64 wrong usage, 65 bad data, 69 no memory
left, 73 the reply cannot be written.
"""

from __future__ import annotations

import json
import sys

from ._arguments import sequence_array
from ._moments import moments
from .detection import detect

_KEYS = ("samples", "threshold", "nan", "threads")


def answer(request: object) -> dict[str, object]:
    """Find the outliers that a request asks for.

    Parameters
    ----------
    request : object
        What `json` made of the request.

    Returns
    -------
    dict
        The reply, for `json`.

    Raises
    ------
    TypeError, ValueError
        If it is no such request, or as `detect` does.
    """
    if not isinstance(request, dict) or "samples" not in request:
        raise ValueError('the request must be an object with "samples"')
    unknown = [key for key in request if key not in _KEYS]
    if unknown:
        raise ValueError(f"the request has an unknown key {unknown[0]!r}")
    samples = sequence_array(request["samples"])
    nan, threads = request.get("nan", "raise"), request.get("threads", 1)
    indices = detect(samples, request.get("threshold", 2.0), nan=nan, threads=threads)
    mean, deviation = moments(samples, nan=nan, threads=threads)
    return {"indices": indices, "mean": mean, "standardDeviation": deviation}


def main(arguments: list[str]) -> int:
    """Answer the request on standard input.

    Parameters
    ----------
    arguments : list[str]
        The command line's; there are none but ``--help``.

    Returns
    -------
    int
        The exit code.
    """
    if arguments in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return 0
    if arguments:
        return _fail(64, f"unexpected argument {arguments[0]!r} (see --help)")
    try:
        reply = json.dumps(answer(json.load(sys.stdin.buffer)))
    except MemoryError:
        return _fail(69, "no memory left")
    except (TypeError, ValueError, OverflowError, RecursionError, OSError) as error:
        return _fail(65, str(error))
    try:
        # A stream of its own: sys.stdout would fail again at exit.
        with open(1, "w", encoding="ascii", closefd=False) as output:
            output.write(reply + "\n")
    except OSError as error:
        return _fail(73, f"the reply cannot be written: {error.strerror}")
    return 0


def _fail(code: int, message: str) -> int:
    print("pyoutliers:", " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
