"""Which samples a detection tells apart: two bounds instead of a distance for each sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    Bound = npt.NDArray[Any]

_FLOAT64 = np.dtype(np.float64)
# The least and the greatest value of each type of integers.
EXTREMES = {
    np.dtype(code): (int(np.iinfo(code).min), int(np.iinfo(code).max)) for code in "bBhHiIlLqQ"
}
_LARGEST = {np.dtype(code): float(np.finfo(code).max) for code in "ef"}
# More than any 64-bit integer, and little enough to have a next larger float.
_BEYOND_INTEGERS = 2.0**65


def bounds(mean: float, limit: float, dtype: np.dtype[Any]) -> tuple[Bound, Bound]:
    """Return the least and the greatest sample that is no outlier.

    Parameters
    ----------
    mean : float
        The mean of the samples.
    limit : float
        How far from it samples may lie.
    dtype : numpy.dtype
        The samples' type: one that `samples_array` accepts.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        Two arrays without dimensions, of that type.

    Notes
    -----
    Rounding keeps order, so among all samples of one type ``abs(float64(x) - mean) > limit`` holds
    exactly for those below one of them and above another: to compare with these gives the same
    answer, to the last bit, without converting or subtracting anything.
    """
    if limit == math.inf:
        least, greatest = -math.inf, math.inf
    else:
        least, greatest = -_greatest(-mean, limit), _greatest(mean, limit)
    if dtype is _FLOAT64 or dtype == _FLOAT64:
        return np.array(least), np.array(greatest)
    if dtype.kind == "f":
        return np.array(-_narrowed(-least, dtype)), np.array(_narrowed(greatest, dtype))
    # The mean lies among the samples, hence neither bound beyond the type's far end.
    first, last = EXTREMES[dtype]
    lower = max(first, -_greatest_integer(-least))
    upper = min(_greatest_integer(greatest), last)
    return np.array(min(lower, last), dtype), np.array(max(first, upper), dtype)


def _greatest(mean: float, limit: float) -> float:
    """Return the greatest float64 for which ``x - mean > limit`` is false after rounding.

    The difference rounds to more than `limit` from half a unit in its last place on (where such a
    half does not exist, differences are exact). `math.fsum` rounds the sum of the three once, so
    its result is the greatest float up to there or the next one.
    """
    try:
        nearest = math.fsum((mean, limit, math.ulp(limit) / 2))
    except OverflowError:
        return math.inf
    return math.nextafter(nearest, -math.inf) if nearest - mean > limit else nearest


def _narrowed(bound: float, dtype: np.dtype[Any]) -> np.floating[Any]:
    """Return the greatest value of a narrower float type that is not above `bound`."""
    largest = _LARGEST[dtype]
    if not -largest <= bound <= largest:
        return dtype.type(largest if bound > 0 else -math.inf)
    nearest = dtype.type(bound)
    if float(nearest) > bound:
        with np.errstate(under="ignore"):
            nearest = np.nextafter(nearest, dtype.type(-math.inf))
    return nearest


def _greatest_integer(bound: float) -> int:
    """Return the greatest integer that, as float64, is not above `bound`."""
    bound = max(-_BEYOND_INTEGERS, min(bound, _BEYOND_INTEGERS))
    integer = math.floor(bound)
    if abs(integer) < 2**53:
        return integer
    # Integers up to halfway to the next float become this one; halfway, the even one.
    halfway = (integer + int(math.nextafter(bound, math.inf))) // 2
    return halfway if float(halfway) <= bound else halfway - 1
