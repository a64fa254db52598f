"""Takes structures out of their capsules as C code does, and makes some by hand, with nothing but ctypes."""

import ctypes

kept: list = []

# What takes a structure out of its capsule as C code does

_api = ctypes.pythonapi
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_malloc = ctypes.CDLL(None).malloc
_malloc.restype = ctypes.c_void_p
_malloc.argtypes = [ctypes.c_size_t]
USED = {b"dltensor": b"used_dltensor", b"dltensor_versioned": b"used_dltensor_versioned"}


def word_at(address: int) -> int:
    return ctypes.c_size_t.from_address(address).value


def move_tensor(exporter, name: bytes) -> list[int]:
    """Take a tensor out of its capsule: its address, and that of the function that deletes it."""
    is_plain = name == b"dltensor"
    capsule = exporter.__dlpack__() if is_plain else exporter.__dlpack__(max_version=(1, 0))
    address = _api.PyCapsule_GetPointer(capsule, name)
    _api.PyCapsule_SetName(capsule, USED[name])
    # DLManagedTensor: tensor (48 bytes), context, deleter. DLManagedTensorVersioned: version, context, deleter.
    return [address, word_at(address + (56 if is_plain else 16))]


class ArrowArray(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("length", "null_count", "offset", "buffer_count", "child_count")],
        *[(name, ctypes.c_void_p) for name in ("buffers", "children", "dictionary", "release", "context")],
    ]


immortal = []  # what C pointers point to


def move_array(exporter) -> list[int]:
    """Move an Arrow array out of its capsule: its new address, and that of the function that releases it."""
    _, capsule = exporter.__arrow_c_array__()
    source = ArrowArray.from_address(_api.PyCapsule_GetPointer(capsule, b"arrow_array"))
    address = _malloc(ctypes.sizeof(source))  # which outlives Python
    ctypes.memmove(address, ctypes.addressof(source), ctypes.sizeof(source))
    release, source.release = source.release, None
    return [address, release]


def forget_null_count(array) -> None:
    """Have a capsule's Arrow array say that nobody has counted its nulls."""
    ArrowArray.from_address(_api.PyCapsule_GetPointer(array, b"arrow_array")).null_count = -1


def move(exporter, kind: str) -> list[int]:
    """Take out a structure of some kind: its address, and that of the function that gives it up."""
    return move_array(exporter) if kind == "array" else move_tensor(exporter, kind.encode())


def first_of_moved(address: int, kind: str) -> float:
    """Read the first float64 of a structure that was taken out."""
    data = {"dltensor": 0, "dltensor_versioned": 32, "array": 40}[kind]
    data = word_at(address + data) if kind != "array" else word_at(word_at(address + data) + 8)
    return ctypes.c_double.from_address(data).value


def keep_all(exporter, view) -> None:
    """Keep capsules of every kind, whose content nobody takes out, and the memoryview."""
    kept.extend(
        [
            exporter.__dlpack__(),
            exporter.__dlpack__(max_version=(1, 0)),
            exporter.__arrow_c_array__(),
            view,
        ]
    )


def forget_all() -> None:
    kept.clear()


def give(value):
    """Give the value, make it, or raise it."""
    if isinstance(value, BaseException):
        raise value
    return value() if callable(value) else value


class Fake:
    """A tensor of any device that gives whatever it was made with, or raises it."""

    def __init__(self, capsule=None, device=(1, 0)):
        self.capsule = capsule
        self.device = device

    def __dlpack_device__(self):
        return give(self.device)

    def __dlpack__(self, **arguments):
        return give(self.capsule)


# Tensors made by hand, so that they can be wrong


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_number", ctypes.c_int32),
        ("dimensions", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    ]


Delete = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class PlainTensor(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("delete", Delete)]


class VersionedTensor(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("delete", Delete),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


class HandMade(Fake):
    """Six float64 from 0 on, in a tensor with whatever changes; counts how often it is deleted."""

    def __init__(self, is_plain=False, major=1, name=None, delete=True, **changes):
        super().__init__()
        self.deleted = 0
        self.elements = (ctypes.c_double * 6)(*range(6))
        self.shape = (ctypes.c_int64 * 2)(*changes.pop("shape", (2, 3)))
        self.strides = (ctypes.c_int64 * 2)(*changes.pop("strides", (3, 1)))
        for field in changes.pop("without", ()):
            changes[field] = None
        tensor = {
            "data": ctypes.addressof(self.elements),
            "device_type": 1,
            "dimensions": 2,
            "code": 2,
            "bits": 64,
            "lanes": 1,
            "shape": ctypes.addressof(self.shape),
            "strides": ctypes.addressof(self.strides),
            **changes,
        }
        delete = Delete(self.count) if delete else Delete()
        if is_plain:
            self.structure = PlainTensor(tensor=Tensor(**tensor), delete=delete)
        else:
            self.structure = VersionedTensor(major=major, tensor=Tensor(**tensor), delete=delete)
        self.name = name or (b"dltensor" if is_plain else b"dltensor_versioned")
        immortal.append(self)  # what Swift holds are C pointers

    def count(self, _) -> None:
        self.deleted += 1

    def __dlpack__(self, **arguments):
        return _api.PyCapsule_New(ctypes.addressof(self.structure), self.name, None)
