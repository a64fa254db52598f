"""Find the samples that lie far from the mean, in memory that the caller owns.

`detect` takes any sequence; `detect_into` reads one buffer and writes another in place, with a
constant amount of memory of its own; `detect_allocating` asks for the memory of its result when it
knows how much it needs; `moments` gives the mean and the standard deviation that
both use; `plot` draws the result.
"""

from ._moments import moments
from .detection import detect, detect_allocating, detect_into
from .plotting import plot
from .testdata import gen_testdata

__all__ = [
    "__version__",
    "detect",
    "detect_allocating",
    "detect_into",
    "gen_testdata",
    "moments",
    "plot",
]

__version__ = "0.1.0"
