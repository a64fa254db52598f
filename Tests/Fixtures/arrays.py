"""Arrays of every shape, and what numpy and CPython see of those that Swift has."""

import array
import binascii
import ctypes
import hashlib
import io
import itertools
import socket
import struct
import tempfile
import zlib

import _testbuffer
import numpy as np


def description(memory) -> list[list[int]]:
    """The address; the shape; the strides in bytes; whether it is writable and contiguous in C's and Fortran's order."""
    a = np.asarray(memory)
    address, read_only = a.__array_interface__["data"]
    flags = a.flags
    assert read_only == (not flags.writeable)
    return [[address], list(a.shape), list(a.strides), [flags.writeable, flags.c_contiguous, flags.f_contiguous]]


def flat(memory) -> list:
    """The elements, the last index counting fastest."""
    return np.asarray(memory).ravel(order="C").tolist()


def same(memory) -> np.ndarray:
    return np.asarray(memory)


def extents(view: memoryview) -> list[list[int]]:
    """What the memoryview itself says, which has more dimensions than older numpys."""
    return [list(view.shape), list(view.strides)]


def item(view: memoryview, indices: list[int]):
    return view[tuple(indices)]


def set_item(memory, indices: list[int], value) -> None:
    np.asarray(memory)[tuple(indices)] = value


# MARK: Python's own arrays

MADE = {
    "zero dimensions": lambda a: a[:1].reshape(()),
    "a line": lambda a: a[:7],
    "backwards": lambda a: a[6::-1],
    "every third": lambda a: a[1::3],
    "a matrix": lambda a: a[:12].reshape(3, 4),
    "Fortran's order": lambda a: np.asfortranarray(a[:12].reshape(3, 4)),
    "transposed": lambda a: a[:24].reshape(2, 3, 4).transpose(1, 2, 0),
    "upside down": lambda a: a[:12].reshape(3, 4)[::-1, ::-2],
    "broadcast": lambda a: np.broadcast_to(a[:4], (3, 4)),
    "one repeated": lambda a: np.broadcast_to(a[3], (2, 2, 2)),
    "empty": lambda a: a[:0],
    "an empty middle": lambda a: a[:0].reshape(3, 0, 2),
    "ones": lambda a: a[5:6].reshape(1, 1, 1),
    "a diagonal": lambda a: a[:16].reshape(4, 4).diagonal(),
    "five dimensions": lambda a: a[:48].reshape(2, 3, 2, 2, 2)[:, ::-1, :, 1:],
    "a new axis": lambda a: a[:12].reshape(3, 4)[:, None, ::2],
}
held: dict[str, np.ndarray] = {}


def make(name: str, samples: list, dtype: str, key: str) -> np.ndarray:
    """One of the arrays above, over the samples repeated; held under the key, of which each test has its own."""
    held[key] = MADE[name](np.resize(np.array(samples, dtype=dtype), 48))
    return held[key]


def made(key: str) -> np.ndarray:
    return held[key]


# MARK: Consumers that ask for less than strides

READERS = {
    "bytes": bytes,
    "bytearray": bytearray,
    "frombuffer": lambda memory: np.frombuffer(memory, np.uint8).tobytes(),
    "hashlib": lambda memory: hashlib.sha256(memory).digest(),
    "crc32": zlib.crc32,
    "hexlify": binascii.hexlify,
    "unpack_from": lambda memory: struct.unpack_from("16s", memory),
    "join": lambda memory: b"-".join([memory, memory]),
    "array": lambda memory: array.array("B", bytes()).frombytes(memory),
    "bytes io": lambda memory: io.BytesIO(memory).getvalue(),
    "text": lambda memory: str(memory, "latin-1"),
    "file": lambda memory: _through_file(memory),
    "socket": lambda memory: _through_socket(memory),
    "translate": lambda memory: b"abc".translate(bytes(256), memory),
}


def _through_file(memory) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(memory)
        file.seek(0)
        return file.read()


def _through_socket(memory) -> bytes:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(memory)
        one.close()
        return b"".join(iter(lambda: other.recv(1 << 16), b""))


def read_by(name: str, memory) -> str:
    """Whether a consumer of the exporter sees the bytes that a consumer of plain bytes does, or what it raises."""
    expected = READERS[name](np.asarray(memory).tobytes())
    try:
        return "the same" if READERS[name](memory.obj) == expected else "other bytes"
    except Exception as error:
        return type(error).__name__


WRITERS = {
    "file": lambda memory: io.FileIO("/dev/zero").readinto(memory),
    "bytes io": lambda memory: io.BytesIO(bytes(1 << 10)).readinto(memory),
    "socket": lambda memory: _receive_into(memory),
    "pack_into": lambda memory: struct.pack_into("16x", memory, 0),
    "ctypes": lambda memory: ctypes.memset((ctypes.c_char * 16).from_buffer(memory), 0, 16),
}


def _receive_into(memory) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(bytes(16))
        other.recv_into(memory, 16)


def write_by(name: str, memory) -> str:
    """What is raised when a consumer of the exporter writes zeros, and nothing when it does not."""
    try:
        WRITERS[name](memory.obj)
    except Exception as error:
        return type(error).__name__
    return ""


REQUESTS = [
    sum(flags)
    for flags in itertools.product(
        (_testbuffer.PyBUF_SIMPLE, _testbuffer.PyBUF_WRITABLE),
        (_testbuffer.PyBUF_SIMPLE, _testbuffer.PyBUF_FORMAT),
        (
            _testbuffer.PyBUF_SIMPLE,
            _testbuffer.PyBUF_ND,
            _testbuffer.PyBUF_STRIDES,
            _testbuffer.PyBUF_C_CONTIGUOUS,
            _testbuffer.PyBUF_F_CONTIGUOUS,
            _testbuffer.PyBUF_ANY_CONTIGUOUS,
            _testbuffer.PyBUF_INDIRECT,
        ),
    )
    if flags[1:] != (_testbuffer.PyBUF_FORMAT, _testbuffer.PyBUF_SIMPLE)  # which has no meaning
]


def _granted(exporter, flags: int) -> object:
    try:
        view = _testbuffer.ndarray(exporter, getbuf=flags)
    except BufferError:
        return "refused"
    return view.ndim, view.shape, view.strides, view.format, view.nbytes, view.itemsize, view.readonly


def unlike_memoryview(view: memoryview) -> list[str]:
    """The requests that the exporter answers otherwise than the memoryview does, which is CPython's own."""
    answers = [(flags, _granted(view.obj, flags), _granted(view, flags)) for flags in REQUESTS]
    return [f"{flags:#x}: {ours} {theirs}" for flags, ours, theirs in answers if ours != theirs]


# MARK: What is to be refused

ODD = {
    "foreign byte order": lambda: np.zeros(3, ">f8"),
    "misaligned": lambda: np.frombuffer(bytes(17), "<f8", 2, 1),
    "float32": lambda: np.zeros((2, 2), "f4"),
    "int64": lambda: np.zeros(3, "i8"),
    "long double": lambda: np.zeros(3, "longdouble"),
    "complex": lambda: np.zeros(3, "c16"),
    "objects": lambda: np.array([1.5, None], object),
    "a structure": lambda: np.zeros(3, "f8,f8"),
    "text": lambda: np.array(["a"]),
    "void": lambda: np.zeros(3, "V8"),
    "an odd stride": lambda: np.zeros(3, {"names": ["a"], "formats": ["f8"], "itemsize": 12})["a"],
    "an odd column": lambda: np.zeros((3, 12), "u1")[:, :8].view("f8"),
    "pointers to rows": lambda: _testbuffer.ndarray([1.0] * 6, shape=[2, 3], format="d", flags=_testbuffer.ND_PIL),
    "dates": lambda: np.zeros(3, "M8[s]"),
    "a released view": lambda: _released(np.zeros(3)),
    "a number": lambda: 1.5,
    "a list": lambda: [1.5],
    "two numbers an item": lambda: _testbuffer.ndarray([(1.0, 2.0)] * 3, shape=[3], format="dd"),
    "an array interface": lambda: Interface(np.zeros(3)),
}


class Interface:
    """Has numpy's own protocol, and none that other libraries have."""

    def __init__(self, array: np.ndarray) -> None:
        self.__array_interface__ = array.__array_interface__


def _released(array: np.ndarray) -> memoryview:
    view = memoryview(array)
    view.release()
    return view


def odd(name: str):
    return ODD[name]()
