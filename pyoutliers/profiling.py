"""A picture of where the memory of a detection goes, engine by engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .plotting import file_format

if TYPE_CHECKING:
    import os
    from typing import Any

    from matplotlib.axes import Axes

_MIB = 1 << 20
# Of a reading: whose, and which part; drawn from the bottom up.
_LAYERS = (
    ("host", "anonymous", "anonymous", "tab:blue"),
    ("host", "sharedMemoryShare", "shared", "tab:cyan"),
    ("host", "file", "files", "lightsteelblue"),
    ("child", "anonymous", "anonymous (child)", "tab:orange"),
    ("child", "sharedMemoryShare", "shared (child)", "gold"),
    ("child", "file", "files (child)", "bisque"),
)


def plot_profile(document: str | dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw what is resident over time into a file, a panel for each engine.

    Parameters
    ----------
    document : str or dict
        What ``outliers profile --json`` prints.
    path : str or path
        The file to write; its ending, ``.png`` or ``.svg``, chooses the format.

    Raises
    ------
    ImportError
        If matplotlib is missing: it comes with the extra ``pyoutliers[plot]``.
    OSError
        If the file cannot be written.
    ValueError
        If the ending is another one, or the document is none or has no engine in it.

    Notes
    -----
    Shared memory that two processes map counts half for each. In an SVG each engine's panel is a
    group of its name, in which the groups ``<engine>-host-anonymous``, ``<engine>-heap``,
    ``<engine>-python`` and so on hold the parts.
    """
    from matplotlib.figure import Figure

    chosen = file_format(path)
    data = json.loads(document) if isinstance(document, str) else document
    engines = data.get("engines", [])
    if not engines:
        raise ValueError("the document has no engine in it")
    figure = Figure(figsize=(10, 0.9 + 2.4 * len(engines)), dpi=120, layout="constrained")
    panels = figure.subplots(len(engines), 1, squeeze=False)[:, 0]
    figure.suptitle(f"one detection in {data['samples']:,} samples")
    handles: dict[str, Any] = {}
    extra = {summary["engine"]: summary["extraMemory"] for summary in data.get("summary", [])}
    for axes, engine in zip(panels, engines):
        name = engine["engine"]
        axes.set_gid(name)
        _draw(axes, engine)
        title = (
            f"{name}: {extra[name] / _MIB:,.1f} MiB for the detection" if name in extra else name
        )
        axes.set_title(title, loc="left", fontsize="medium", fontweight="bold")
        shown, labels = axes.get_legend_handles_labels()
        handles.update(dict(zip(labels, shown)))
    panels[-1].set_xlabel("seconds")
    figure.supylabel("MiB resident")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, format=chosen)


def _draw(axes: Axes, engine: dict[str, Any]) -> None:
    name, phases = engine["engine"], engine["phases"]
    readings = [*engine["readings"], *(phase["memory"] for phase in phases)]
    readings.sort(key=lambda reading: reading["seconds"])
    seconds = [reading["seconds"] for reading in readings]
    below = [0.0] * len(readings)
    for process, part, label, color in _LAYERS:
        sizes = [(reading.get(process) or {}).get(part, 0) / _MIB for reading in readings]
        if not any(sizes):
            continue
        above = [low + size for low, size in zip(below, sizes)]
        axes.fill_between(
            seconds,
            below,
            above,
            color=color,
            linewidth=0,
            label=label,
            gid=f"{name}-{process}-{part}",
        )
        below = above
    heap = [reading["heap"] / _MIB for reading in readings]
    axes.plot(seconds, heap, color="black", linewidth=1, label="heap (malloc)", gid=f"{name}-heap")
    _draw_python(axes, name, phases)
    _draw_phases(axes, phases, seconds[-1])
    axes.margins(x=0)
    # Above the highest there is room for the names of the phases.
    axes.set_ylim(0, 1.2 * max(*below, *heap, axes.get_ylim()[1] / 1.05))


def _draw_python(axes: Axes, name: str, phases: list[dict[str, Any]]) -> None:
    """Draw the most that Python allocated in each phase."""
    traced = [phase for phase in phases if phase.get("python")]
    if traced:
        axes.hlines(
            [phase["python"]["peak"] / _MIB for phase in traced],
            [phase["start"] for phase in traced],
            [phase["end"] for phase in traced],
            color="tab:red",
            linewidth=1.5,
            label="Python's own, at most",
            gid=f"{name}-python",
        )


def _draw_phases(axes: Axes, phases: list[dict[str, Any]], end: float) -> None:
    """Mark where phases begin, and name those that are wide enough."""
    for phase in phases:
        axes.axvline(phase["start"], color="gray", linewidth=0.6, linestyle=":")
        if phase["end"] - phase["start"] > 0.09 * end:
            middle = (phase["start"] + phase["end"]) / 2
            axes.annotate(
                phase["name"],
                (middle, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize="small",
                color="dimgray",
            )
