"""Series of many shapes, and what scipy and numpy say of them: nothing here is pyoutliers' own code."""

from __future__ import annotations

import ctypes
import warnings

import numpy as np

# Importing scipy loses two names (f2py's PyFortranObject_NewAsAttr). LeakSanitizer, where it runs, leaves them out.
getattr(ctypes.CDLL(None), "__lsan_disable", int)()
from scipy import stats  # noqa: E402

getattr(ctypes.CDLL(None), "__lsan_enable", int)()

_SHAPES = (
    lambda random, n: random.standard_normal(n),
    lambda random, n: random.standard_t(2, n),
    lambda random, n: random.standard_cauchy(n),
    lambda random, n: random.lognormal(0, 2, n),
    lambda random, n: random.random(n) + 97.0 * (random.random(n) < 0.01),
    lambda random, n: 1e9 + random.standard_normal(n),
    lambda random, n: -1e12 + 1e-3 * random.standard_normal(n),
    lambda random, n: np.full(n, random.choice([0.0, 0.1, -3.7, 1e9 / 3, 5e-324])),
    lambda random, n: np.where(np.arange(n) % 2 == 0, 1e6, -1e6) + random.standard_normal(n),
    lambda random, n: np.cumsum(random.standard_normal(n)),
    lambda random, n: random.integers(-5, 5, n).astype(float),
    lambda random, n: 1e-150 * random.standard_normal(n),
)
_SIZES = (0, 1, 2, 3, 5, 8, 63, 64, 65, 500, 1000, 8191, 8192, 8193, 20_000, 50_001)


def series(seed: int) -> np.ndarray:
    """A reproducible series."""
    random = np.random.default_rng(seed)
    return np.ascontiguousarray(_SHAPES[seed % len(_SHAPES)](random, random.choice(_SIZES)), dtype=float)


def one_liner(samples: object, threshold: float) -> list[int]:
    """What numpy finds."""
    x = np.asarray(samples)
    if x.size == 0:
        return []
    return np.flatnonzero(np.abs(x - x.mean()) > threshold * x.std()).tolist()


def zscore(samples: object, threshold: float) -> list[int]:
    """What scipy finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.flatnonzero(np.abs(stats.zscore(np.asarray(samples))) > threshold).tolist()


def at_threshold(samples: object, threshold: float) -> list[int]:
    """The samples within rounding of the threshold, on which two correct ways may differ.

    A mean of n numbers is wrong by a few units in the last place of the largest of them; everything
    is within rounding when the whole spread is.
    """
    x = np.asarray(samples)
    if x.size == 0:
        return []
    rounding = 16 * np.finfo(float).eps * np.abs(x).max()
    margin = np.abs(np.abs(x - x.mean()) - threshold * x.std())
    return np.flatnonzero(margin <= rounding * (1 + threshold)).tolist()


def address(buffer: object) -> int:
    """Where numpy sees a buffer."""
    return np.asarray(buffer).__array_interface__["data"][0]
