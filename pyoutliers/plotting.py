"""A picture of a series, its outliers and the two bounds."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import samples_array, threshold_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from ._arguments import AnyBuffer

_FORMATS = (".png", ".svg")
# Beyond this many points a line says no more than its envelope, and an SVG gets unwieldy.
_DRAWN_ONE_BY_ONE = 20_000
_BINS = 1200  # about one for each pixel of the axes
_BLOCK = 65_536


def plot(
    samples: AnyBuffer,
    indices: Sequence[int] | npt.NDArray[np.int64],
    path: str | os.PathLike[str],
    *,
    mean: float,
    standard_deviation: float,
    threshold: float = 2.0,
    title: str | None = None,
) -> None:
    """Draw the series, its outliers and the two bounds into a file.

    Parameters
    ----------
    samples : buffer
        What `detect_into` accepts. NaN and infinity leave gaps.
    indices : sequence of int
        The outliers, ascending, as `detect` and `detect_into` return them.
    path : str or path
        The file to write; its ending, ``.png`` or ``.svg``, chooses the format.
    mean, standard_deviation : float
        The moments, as `moments` returns them. If they are not finite, no bounds are drawn.
    threshold : float
        The bounds are this many standard deviations away from the mean.
    title : str, optional
        A line above the picture.

    Raises
    ------
    ImportError
        If matplotlib is missing: it comes with the extra ``pyoutliers[plot]``.
    OSError
        If the file cannot be written.
    TypeError
        If the samples, or the indices, are of a type that is not accepted.
    ValueError
        If the ending is another one, or the indices are out of range or not ascending.

    Notes
    -----
    A series of more than 20 000 samples is drawn as the lowest and the highest sample of each of
    about 1200 bins, read block by block; so are outliers, if there are as many. In an SVG the
    groups ``series``, ``outliers``, ``mean``, ``lower-bound`` and ``upper-bound`` hold the parts.
    """
    # Figure alone keeps no global state, unlike pyplot, so any thread may draw.
    from matplotlib.figure import Figure

    chosen = file_format(path)
    series = samples_array(samples)
    outliers = _checked_outliers(indices, series.size)
    reach = threshold_value(threshold) * standard_deviation

    figure = Figure(figsize=(10, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(*_line(series), color="tab:blue", linewidth=0.8, gid="series")
    _draw_bounds(axes, mean, reach, threshold)
    shown = _representatives(series, outliers)
    label = f"{outliers.size} outlier{'' if outliers.size == 1 else 's'}"
    axes.plot(shown, series[shown], "o", color="tab:red", markersize=4, label=label, gid="outliers")
    axes.margins(x=0.01)
    axes.set_xlabel("index")
    axes.set_ylabel("sample")
    if title is not None:
        axes.set_title(title)
    # Inside the axes it would cover samples, perhaps the very outliers.
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, format=chosen)


def file_format(path: str | os.PathLike[str]) -> str:
    """Return what a picture's ending says, ``png`` or ``svg``."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in _FORMATS:
        raise ValueError(f"path must end in .png or .svg, not {ending or 'nothing'}: {path}")
    return ending[1:]


def _checked_outliers(
    indices: Sequence[int] | npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    outliers = np.asarray(indices)
    if outliers.size == 0:
        return np.empty(0, np.int64)
    if outliers.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, not {outliers.dtype.name}")
    if outliers.ndim != 1 or np.any(outliers[1:] <= outliers[:-1]):
        raise ValueError("indices must be one-dimensional and ascending")
    if outliers[0] < 0 or outliers[-1] >= size:
        raise ValueError(
            f"indices must be from 0 to {size - 1}, not {outliers[0]} to {outliers[-1]}"
        )
    return outliers


def _draw_bounds(axes: Axes, mean: float, reach: float, threshold: float) -> None:
    if not (math.isfinite(mean) and math.isfinite(reach)):
        return
    label = f"mean ± {threshold:g} standard deviations"
    axes.axhline(mean, color="gray", linewidth=0.8, label="mean", gid="mean")
    style: dict[str, Any] = {"color": "tab:orange", "linewidth": 1.0, "linestyle": "--"}
    axes.axhline(mean + reach, label=label, gid="upper-bound", **style)
    axes.axhline(mean - reach, gid="lower-bound", **style)


def _line(series: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return positions and heights of the line that stands for the series."""
    if series.size <= _DRAWN_ONE_BY_ONE:
        return np.arange(series.size, dtype=np.float64), _with_gaps(series)
    edges = _bin_edges(series.size)
    heights = np.empty((edges.size - 1, 2))
    for position, (start, end) in enumerate(zip(edges[:-1], edges[1:])):
        heights[position] = _extent(series[start:end])
    # Down and up again at the middle of each bin: one line, in which an empty bin is a gap.
    return np.repeat((edges[:-1] + edges[1:] - 1) / 2, 2), heights.ravel()


def _extent(samples: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the lowest and the highest finite sample, or NaN twice."""
    lowest = highest = math.nan
    for start in range(0, samples.size, _BLOCK):
        block = _with_gaps(samples[start : start + _BLOCK])
        # fmin and fmax prefer a number to NaN.
        lowest = float(np.fmin(lowest, np.fmin.reduce(block)))
        highest = float(np.fmax(highest, np.fmax.reduce(block)))
    return lowest, highest


def _with_gaps(samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Copy a block as float64, with NaN for what is not finite."""
    values = np.array(samples, dtype=np.float64)
    values[~np.isfinite(values)] = math.nan
    return values


def _representatives(
    series: npt.NDArray[Any], outliers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Thin many outliers out to the lowest and the highest one of each bin."""
    if outliers.size <= _DRAWN_ONE_BY_ONE:
        return outliers
    kept: set[int] = set()
    bounds = np.searchsorted(outliers, _bin_edges(series.size))
    for start, end in zip(bounds[:-1], bounds[1:]):
        if start < end:
            heights = series[outliers[start:end]]
            kept.add(int(outliers[start + heights.argmin()]))
            kept.add(int(outliers[start + heights.argmax()]))
    return np.array(sorted(kept), dtype=np.int64)


def _bin_edges(size: int) -> npt.NDArray[np.int64]:
    return np.arange(_BINS + 1, dtype=np.int64) * size // _BINS
