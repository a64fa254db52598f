"""What numpy makes of a .npy file: what the fuzzer of the reader compares with."""

import io
import os
import sys
import warnings

import numpy as np
from numpy.lib import format as npy

try:
    # For version 3 there is no public one.
    from numpy.lib._format_impl import _read_array_header as read_header
except ImportError:
    from numpy.lib.format import _read_array_header as read_header

warnings.simplefilter("ignore")

READABLE = ["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]


def header(data: bytes):
    """Read a header as numpy does: shape, order, dtype, and where the data starts; None where numpy refuses it."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        if version not in [(1, 0), (2, 0), (3, 0)]:
            return None
        return (*read_header(file, version), file.tell())
    except Exception:  # whatever it is: literal_eval alone has half a dozen
        return None


def is_readable(dtype) -> bool:
    return dtype.isnative and dtype.str[1:] in READABLE


def is_plain(data: bytes, shape, is_fortran: bool, dtype, start: int) -> bool:
    """Whether the header is as numpy writes it, but for how much space follows."""
    descr = npy.dtype_to_descr(dtype)
    text = f"{{'descr': {descr!r}, 'fortran_order': {is_fortran}, 'shape': {tuple(map(int, shape))}, }}"
    start_of_text = 10 if data[6] == 1 else 12
    return data[start_of_text:start].rstrip(b"\n").rstrip(b" ") == text.encode()


def judge(memory, path: str, said: str, element: str, numbers: list) -> str:
    """Tell what is wrong with what Swift made of a header.

    That is what it `said` against it; else the element type, where the data starts, whether it is in Fortran's order, and the shape.
    """
    data = bytes(memory)
    theirs = header(data)
    if not said:
        if theirs is None:
            return "numpy refuses it"
        start, is_fortran, *shape = numbers
        read = (tuple(shape), bool(is_fortran), np.dtype(element), start)
        if theirs != read:
            return f"it was read as {read}, not {theirs}"
        try:
            array = npy.open_memmap(path, mode="r")
        except Exception as error:
            # numpy limits the other lengths of an array without elements, and maps no file of a header alone.
            return "" if 0 in shape else f"numpy cannot map it: {error!r}"
        return "" if array.shape == tuple(shape) else f"numpy maps it as {array.shape}"
    if theirs is None:
        return ""
    shape, is_fortran, dtype, start = theirs
    if "foreign byte order" in said:
        return "" if not dtype.isnative else f"numpy reads {theirs}"
    if said.startswith("it is truncated") or "more data than there can be" in said:
        available = len(data) - start
        return "" if dtype.itemsize * product(shape) > available else "nothing is missing"
    if is_readable(dtype) and is_plain(data, shape, is_fortran, dtype, start):
        return f"numpy reads {theirs}" if all(0 <= n < 1 << 63 for n in shape) else ""
    return ""


def product(shape) -> int:
    result = 1
    for length in shape:
        result *= length
    return result


def column(path: str) -> list:
    """Tell the elements of the last column, bit for bit, as numpy maps them."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return (array if array.ndim == 1 else array[:, -1]).astype(float).view(np.int64).tolist()


def seeds(folder: str) -> None:
    """Write what the fuzzer starts from: files of all kinds, as small as they come."""
    os.makedirs(folder)
    arrays = [
        np.arange(3).astype(dtype)
        for dtype in [*READABLE, ">f8", ">i2", "c16", "f2", "?", "S2", "U1", "M8[s]"]
    ]
    arrays += [
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype="i2").reshape(3, 2).T,
        np.zeros(()),
        np.zeros((0, 3)),
        np.zeros((1,) * 4),
    ]
    arrays += [np.zeros(2, [("a", "f8"), ("b", "i4", 2)])]
    for version in [(1, 0), (2, 0), (3, 0)]:
        for index, array in enumerate(arrays):
            file = io.BytesIO()
            npy.write_array(file, array, version)
            with open(f"{folder}/{version[0]}-{index}.npy", "wb") as target:
                target.write(file.getvalue())
    old = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }\n"
    with open(f"{folder}/python2.npy", "wb") as target:
        target.write(b"\x93NUMPY\x01\x00" + len(old).to_bytes(2, "little") + old + bytes(24))


if __name__ == "__main__":
    seeds(sys.argv[1])
