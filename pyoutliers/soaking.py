"""A picture of the memory of a process that makes the same call over and over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plotting import file_format

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from typing import Any

_MIB = 1 << 20
_LEAST_HEIGHT = 1.0  # MiB


def plot_soak(
    calls: Sequence[int],
    resident: Sequence[int],
    path: str | os.PathLike[str],
    *,
    line: Sequence[Sequence[float]] = (),
    plateau: int | None = None,
    trimmed: Sequence[Sequence[float]] = (),
    title: str | None = None,
) -> None:
    """Draw resident memory over the calls into a file.

    Parameters
    ----------
    calls, resident : sequence of int
        How many calls were made before each reading, and the bytes that were resident then.
    path : str or path
        The file to write; its ending, ``.png`` or ``.svg``, chooses the format.
    line : sequence of pairs, optional
        Two points, of calls and bytes, that the line of the slope goes through.
    plateau : int, optional
        A level, in bytes.
    trimmed : sequence of pairs, optional
        Calls, and the bytes that were resident after free memory was given back.
    title : str, optional
        A line above the picture.

    Raises
    ------
    ImportError
        If matplotlib is missing: it comes with the extra ``pyoutliers[plot]``.
    OSError
        If the file cannot be written.
    ValueError
        If the ending is another one, or there are not as many calls as readings.

    Notes
    -----
    In an SVG the groups ``resident``, ``slope``, ``plateau`` and ``trimmed`` hold the parts.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    chosen = file_format(path)
    if len(calls) != len(resident):
        raise ValueError(f"there are {len(calls)} calls, but {len(resident)} readings")
    figure = Figure(figsize=(10, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(calls, _mebibytes(resident), linewidth=1, label="resident", gid="resident")
    if plateau is not None:
        style: dict[str, Any] = {"color": "gray", "linewidth": 0.8, "linestyle": ":"}
        axes.axhline(plateau / _MIB, label="plateau", gid="plateau", **style)
    if line:
        x, y = zip(*line)
        style = {"color": "tab:red", "linewidth": 1.2, "linestyle": "--"}
        axes.plot(x, _mebibytes(y), label="slope", gid="slope", **style)
    if trimmed:
        x, y = zip(*trimmed)
        axes.plot(x, _mebibytes(y), "o", color="tab:green", label="after a trim", gid="trimmed")
    axes.set_xlabel("calls")
    axes.set_ylabel("MiB, without the pages of files")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.ticklabel_format(axis="y", useOffset=False)
    # A few pages up or down are to look like what they are.
    low, high = axes.get_ylim()
    missing = max(0.0, _LEAST_HEIGHT - (high - low))
    axes.set_ylim(max(0.0, low - missing / 2), high + missing / 2)
    if title is not None:
        axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, format=chosen)


def _mebibytes(values: Sequence[float]) -> list[float]:
    return [value / _MIB for value in values]
