"""A picture of a benchmark: time and memory of each engine by the number of samples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .plotting import file_format

if TYPE_CHECKING:
    import os
    from typing import Any

    from matplotlib.axes import Axes

_MIB = 1 << 20
# Less is not told from nothing, of which a logarithmic axis has none.
_LEAST_MIB = 0.1
# Matplotlib's first colours for the engines, and black for what they are compared with.
_COLORS = {
    "embedded": "tab:blue",
    "copying": "tab:orange",
    "worker": "tab:green",
    "subprocess": "tab:red",
    "native": "tab:purple",
    "one-liner": "black",
}
_MARKERS = "oPsD^vX*"


def plot_benchmark(report: str, path: str | os.PathLike[str]) -> None:
    """Draw times and peak extra memory by the number of samples into a file.

    Parameters
    ----------
    report : str
        What ``outliers bench --json`` prints.
    path : str or path
        The file to write; its ending, ``.png`` or ``.svg``, chooses the format.

    Raises
    ------
    ImportError
        If matplotlib is missing: it comes with the extra ``pyoutliers[plot]``.
    OSError
        If the file cannot be written.
    ValueError
        If the ending is another one, or the report is none.

    Notes
    -----
    Times are medians, with a bar from the lower to the upper quartile. Memory below 0.1 MiB is
    drawn as such, at the lower edge. In an SVG the groups ``time-NAME`` and ``memory-NAME`` hold
    the lines.
    """
    from matplotlib.figure import Figure

    chosen = file_format(path)
    rows = _rows(report)
    figure = Figure(figsize=(11, 5), dpi=150, layout="constrained")
    time, memory = figure.subplots(1, 2)
    for position, (name, points) in enumerate(rows.items()):
        style: dict[str, Any] = {
            "color": _COLORS.get(name.split(",")[0], "gray"),
            "marker": _MARKERS[position % len(_MARKERS)],
            "markersize": 5,
            "markerfacecolor": "white" if "," in name else None,
            "linewidth": 1.4,
            "linestyle": "--" if name == "one-liner" or name not in _COLORS else "-",
        }
        _draw_time(time, name, points, style)
        _draw_memory(memory, name, points, style)
    _finish(time, "time of one detection", _seconds)
    _finish(memory, "peak extra memory of one detection", _mebibytes)
    memory.set_ylim(bottom=_LEAST_MIB * 0.7)
    handles, labels = time.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, format=chosen)


def _rows(report: str) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Return what was measured of each engine, with the number of samples."""
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    try:
        for size in json.loads(report)["sizes"]:
            for row in size["engines"]:
                threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
                rows.setdefault(row["engine"] + threads, []).append((size["samples"], row))
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no report of a benchmark: {error!r}") from error
    return rows


def _draw_time(
    axes: Axes, name: str, points: list[tuple[int, dict[str, Any]]], style: dict[str, Any]
) -> None:
    medians = [row["median"] for _, row in points]
    below = [row["median"] - row["lowerQuartile"] for _, row in points]
    above = [row["upperQuartile"] - row["median"] for _, row in points]
    axes.errorbar(
        [samples for samples, _ in points],
        medians,
        yerr=(below, above),
        capsize=2,
        label=name,
        gid=f"time-{name}",
        **style,
    )


def _draw_memory(
    axes: Axes, name: str, points: list[tuple[int, dict[str, Any]]], style: dict[str, Any]
) -> None:
    known = [(samples, row["peakExtraBytes"]) for samples, row in points if "peakExtraBytes" in row]
    axes.plot(
        [samples for samples, _ in known],
        [max(extra / _MIB, _LEAST_MIB) for _, extra in known],
        gid=f"memory-{name}",
        **style,
    )


def _finish(axes: Axes, title: str, unit: Any) -> None:  # noqa: ANN401
    from matplotlib.ticker import EngFormatter, FuncFormatter

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel("samples")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(FuncFormatter(unit))
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)


def _seconds(seconds: float, _position: int) -> str:
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:g} {unit}"
    return f"{seconds * 1e9:g} ns"


def _mebibytes(amount: float, _position: int) -> str:
    return f"{amount:g} MiB"
