"""The indices of the samples that lie far from the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arguments import indices_array, omits_nan, samples_array, sequence_array, threshold_value
from ._moments import BLOCK, centre_block, moments_of, scratch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy.typing as npt

    from ._arguments import AnyBuffer


def detect(
    data: Sequence[float] | AnyBuffer, threshold: float = 2.0, *, nan: str = "raise"
) -> list[int]:
    """Return the indices of the outliers in a sequence or an array.

    Parameters
    ----------
    data : sequence or array
        One dimension of real numbers: a list, a tuple, a range, an array, any buffer.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out.

    Returns
    -------
    list[int]
        Indices, ascending.

    Raises
    ------
    TypeError
        If an item is not a real number, or of a type that is not accepted.
    ValueError
        If `data` is not one-dimensional, a sample is not finite and `nan` is ``"raise"``, or
        `threshold` or `nan` is out of its range.

    See Also
    --------
    detect_into : The same between two buffers, with nothing allocated for the result.
    """
    samples = sequence_array(data)
    # There cannot be more results than samples, and pages that are never written cost nothing.
    indices = np.empty(samples.size, np.int64)
    found = detect_into(samples, indices, threshold=threshold, nan=nan)
    return [int(index) for index in indices[:found].tolist()]


def detect_into(
    samples: AnyBuffer, indices: AnyBuffer, *, threshold: float = 2.0, nan: str = "raise"
) -> int:
    """Write the indices of the outliers among `samples` into `indices`.

    Parameters
    ----------
    samples : buffer
        One dimension of float16, float32, float64 or integers in native byte order; may be
        read-only and strided. It is only read, and never copied as a whole.
    indices : buffer
        One dimension of writable int64, other memory than `samples`. By Chebyshev's inequality,
        fewer than n / threshold**2 of n samples are outliers.
    threshold : float
        An outlier is further than this many standard deviations from the mean, on either side.
    nan : {"raise", "omit"}
        Whether NaN and infinity are errors or left out of the moments and of the result.

    Returns
    -------
    int
        How many indices were written, ascending, from the first element of `indices` on.

    Raises
    ------
    TypeError
        If a buffer's elements are of a type that is not accepted, or it is no buffer at all.
    ValueError
        If a buffer is not one-dimensional, `indices` is read-only, overlaps `samples` or is too
        small (its contents are then unspecified), a sample is not finite and `nan` is
        ``"raise"``, or `threshold` or `nan` is out of its range.

    Notes
    -----
    The test is ``abs(x - mean) > threshold * std``, in float64, with the population's standard
    deviation (ddof=0). Finite samples whose squares overflow have an infinite deviation, hence
    no outliers. Memory beyond the two buffers is constant: about 80 KiB for each thread.
    """
    source = samples_array(samples)
    target = indices_array(indices, source)
    threshold = threshold_value(threshold)
    omit = omits_nan(nan)
    # Overflow has a defined result here; it must neither print a warning nor raise.
    with np.errstate(all="ignore"):
        mean, deviation, count = moments_of(source, omit)
        if not count:
            return 0
        found = _write_outliers(source, target, mean, threshold * deviation, count < source.size)
    if found > target.size:
        raise ValueError(f"indices is too small: {found} needed, it holds {target.size}")
    return found


def _write_outliers(
    samples: npt.NDArray[Any],
    indices: npt.NDArray[np.int64],
    mean: float,
    limit: float,
    some_omitted: bool,
) -> int:
    """Write what fits; return how many there are, which may be more."""
    found, room = 0, indices.size
    values, mask = scratch.values, scratch.mask
    for start in range(0, samples.size, BLOCK):
        block = samples[start : start + BLOCK]
        distances, outlying = values[: block.size], mask[: block.size]
        centre_block(block, mean, distances)
        np.absolute(distances, distances)
        np.greater(distances, limit, outlying)
        if some_omitted:
            # NaN compares false by itself, infinity does not.
            outlying &= np.isfinite(block)
        local = outlying.nonzero()[0]
        end = found + local.size
        if found < end <= room:
            np.add(local, start, indices[found:end])
        found = end
    return found
