"""What the public functions accept, and the words in which they refuse the rest."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import numpy.typing as npt
    from typing_extensions import Buffer, TypeAlias

    # Type checkers learn only from Python 3.12 on that an array has the buffer protocol.
    AnyBuffer: TypeAlias = "Buffer | npt.NDArray[Any]"

_FLOAT64 = np.dtype(np.float64)
_INT64 = np.dtype(np.int64)
_ACCEPTED = "float16, float32, float64 and integers, in native byte order"
_KINDS = {"b": "bool", "c": "complex", "S": "text", "U": "text", "O": "object", "V": "structured"}


def samples_array(samples: AnyBuffer, name: str = "samples") -> npt.NDArray[Any]:
    """View a buffer as a one-dimensional array of real numbers, without copying it.

    Parameters
    ----------
    samples : buffer
        A numpy array, or anything else with the buffer protocol.
    name : str
        What to call it in a message.

    Returns
    -------
    numpy.ndarray
        The same memory.

    Raises
    ------
    TypeError
        If it has no buffer, or its elements are none of the accepted types.
    ValueError
        If it is not one-dimensional.
    """
    array = samples if type(samples) is np.ndarray else _buffer_array(samples, name)
    # numpy's own float64 is one object, so identity settles the common case.
    if array.dtype is not _FLOAT64:
        _check_real(array.dtype, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    return array


def indices_array(indices: AnyBuffer, samples: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """View a buffer as the array that results are written to.

    Parameters
    ----------
    indices : buffer
        Writable memory of int64, which a memoryview calls ``l``.
    samples : numpy.ndarray
        The input, which must be other memory.

    Returns
    -------
    numpy.ndarray
        The same memory.

    Raises
    ------
    TypeError
        If it has no buffer, or its elements are not int64 in native byte order.
    ValueError
        If it is not one-dimensional, is read-only, or overlaps the samples.
    """
    array = indices if type(indices) is np.ndarray else _buffer_array(indices, "indices")
    if array.dtype is not _INT64 and array.dtype != _INT64:
        raise TypeError(f"indices must be int64 in native byte order, not {_called(array.dtype)}")
    if array.ndim != 1:
        raise ValueError(f"indices must be one-dimensional, not of shape {array.shape}")
    if not array.flags.writeable:
        raise ValueError("indices must be writable, but this buffer is read-only")
    # The first question compares bounds only; the second is exact, for interleaved columns.
    if np.may_share_memory(samples, array) and np.shares_memory(samples, array):
        raise ValueError("indices must not overlap samples: results would overwrite the input")
    return array


def sequence_array(data: object) -> npt.NDArray[Any]:
    """Turn any sequence or array of real numbers into a one-dimensional array.

    Parameters
    ----------
    data : sequence or array
        A list, tuple, range, array, series or buffer.

    Returns
    -------
    numpy.ndarray
        The same memory where `data` has some, else a new array.

    Raises
    ------
    TypeError
        If it is not a sequence, or an item is not a real number.
    ValueError
        If it is not one-dimensional.
    """
    if isinstance(data, (np.ndarray, memoryview)):
        return samples_array(data, "data")
    if isinstance(data, (str, bytes)):
        raise TypeError(f"data must be a sequence of numbers, not {type(data).__name__}")
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"data must be a one-dimensional sequence of numbers: {error}") from error
    if array.ndim == 0:
        raise TypeError(f"data must be a sequence or an array, not {type(data).__name__}")
    if array.ndim == 1 and array.dtype.kind in "OSU":
        _refuse_item(data)  # type: ignore[arg-type]
    return samples_array(array, "data")


def threshold_value(threshold: float) -> float:
    """Check how many standard deviations away an outlier has to be.

    Parameters
    ----------
    threshold : float
        Zero or more, and finite.

    Returns
    -------
    float
        The same value.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is negative or not finite.
    """
    try:
        accepted = math.isfinite(threshold) and threshold >= 0
    except OverflowError:
        accepted = False
    except TypeError:
        raise TypeError(f"threshold must be a number, not {type(threshold).__name__}") from None
    if not accepted:
        raise ValueError(f"threshold must be zero or more and finite, not {threshold!r}")
    return float(threshold)


def omits_nan(nan: str) -> bool:
    """Tell whether samples that are not finite are to be left out.

    Parameters
    ----------
    nan : {"raise", "omit"}
        The public argument.

    Returns
    -------
    bool
        True for ``"omit"``, False for ``"raise"``.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if nan == "raise":
        return False
    if nan == "omit":
        return True
    raise ValueError(f"nan must be 'raise' or 'omit', not {nan!r}")


def threads_count(threads: int) -> int:
    """Check on how many threads to work.

    Parameters
    ----------
    threads : int
        One or more.

    Returns
    -------
    int
        The same value.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is less than one.
    """
    try:
        count = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads must be an integer, not {type(threads).__name__}") from None
    if count < 1:
        raise ValueError(f"threads must be one or more, not {count}")
    return count


def _buffer_array(buffer: AnyBuffer, name: str) -> npt.NDArray[Any]:
    if type(buffer) is memoryview:
        return _view_array(buffer, name)
    if isinstance(buffer, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must not be a masked array, whose mask would be ignored: "
            "use .filled(numpy.nan) with nan='omit'"
        )
    if isinstance(buffer, np.ndarray):
        return np.asarray(buffer)
    try:
        # numpy would copy what has no buffer, a list for instance, instead of refusing it.
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(
            f"{name} must be an array or have the buffer protocol, not {type(buffer).__name__}"
        ) from None
    return _view_array(view, name)


def _view_array(view: memoryview, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(view)
    except ValueError:
        raise TypeError(
            f"{name} of buffer format {view.format!r} are not accepted, only {_ACCEPTED}"
        ) from None


def _check_real(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in "iuf" or not dtype.isnative or dtype.itemsize > 8:
        raise TypeError(f"{name} of {_called(dtype)} are not accepted, only {_ACCEPTED}")


def _called(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "iuf" and not dtype.isnative:
        return f"foreign byte order ({dtype.str})"
    if dtype.kind == "f" and dtype.itemsize > 8:
        return f"longdouble ({dtype.name})"
    kind = _KINDS.get(dtype.kind)
    return f"{kind} ({dtype.name})" if kind and kind != dtype.name else dtype.name


def _refuse_item(data: Iterable[object]) -> None:
    for position, item in enumerate(data):
        if isinstance(item, (int, np.integer)) and not -(2**63) <= item < 2**64:
            raise TypeError(f"data[{position}] is an integer that does not fit 64 bits")
        if not isinstance(item, (int, float, np.integer, np.floating)):
            raise TypeError(f"data[{position}] is {type(item).__name__}, not a real number")
