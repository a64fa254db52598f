"""numpy's answer to descriptors of arrays, and arrays for Swift to read: what the fuzzer of layouts compares with."""

import random

import numpy as np

LONGEST_LISTING = 100
REFUSED, OPERATION_REFUSED, MADE, BEYOND_NUMPY = range(4)
MOST_DIMENSIONS = 64 if int(np.__version__.split(".")[0]) >= 2 else 32

kept: list = []


def is_inside(shape, strides, offset: int, capacity: int) -> bool:
    """Whether every element is within the memory, in Python's unbounded integers."""
    if 0 in shape:
        return 0 <= offset <= capacity
    distances = [(length - 1) * stride for length, stride in zip(shape, strides)]
    low = offset + sum(distance for distance in distances if distance < 0)
    high = offset + sum(distance for distance in distances if distance > 0)
    return low >= 0 and high < capacity


def fits(number: int) -> bool:
    return -(1 << 63) <= number < 1 << 63


def make(flat, shape, strides, offset: int):
    """Make the array that is described in elements, or None where numpy refuses it."""
    if -1 in shape or len(shape) > len(strides) == 0:
        return None  # to numpy.ndarray a lone -1 is as many as there are, and no strides are those of C's order
    size = flat.itemsize
    steps = [stride * size for stride in strides]
    if len(shape) == len(steps) and not all(map(fits, steps)):
        # A stride that is never stepped along need not fit.
        still = [0 in shape or length == 1 for length in shape]
        steps = [0 if is_still and not fits(step) else step for is_still, step in zip(still, steps)]
    try:
        array = np.ndarray(shape, flat.dtype, flat, offset * size, steps)
    except (ValueError, OverflowError, TypeError):
        return None
    # numpy's check wraps around, and it checks nothing at all of empty memory.
    if not flat.size or any(not -0x80000000 < n < 0x80000000 for n in (offset, *shape, *strides)):
        return array if is_inside(shape, strides, offset, flat.size) else None
    return array


def operate(array, operation: int, numbers):
    if operation == 1:
        return array.T
    if operation == 2:
        return np.flip(array, numbers[0])
    if operation == 3:
        return np.broadcast_to(array, numbers)
    return array


def answer(descriptors, count: int, memory, answers) -> int:
    """Answer all descriptors of a batch; return how many numbers that took."""
    flat = np.asarray(memory)
    start = flat.__array_interface__["data"][0]
    size = flat.itemsize
    numbers = np.asarray(descriptors).tolist()
    result: list[int] = []
    kept.clear()
    at = 0
    for _ in range(count):
        dimensions, stride_count, offset, operation, operands = numbers[at : at + 5]
        at += 5
        shape = numbers[at : at + dimensions]
        at += dimensions
        strides = numbers[at : at + stride_count]
        at += stride_count
        operand = numbers[at : at + operands]
        at += operands
        kept.append(None)
        if MOST_DIMENSIONS < max(dimensions, operands) <= 64:
            result.append(BEYOND_NUMPY)
            continue
        array = make(flat, shape, strides, offset)
        if array is None:
            result.append(REFUSED)
            continue
        try:
            array = operate(array, operation, operand)
        except ValueError:
            result.append(OPERATION_REFUSED)
            continue
        kept[-1] = array
        flags = array.flags
        shape = array.shape
        result += (MADE, flags.c_contiguous, flags.f_contiguous, len(shape))
        result += shape
        result += stepped_strides(array)
        if 0 < array.size <= LONGEST_LISTING:
            result.append((array.__array_interface__["data"][0] - start) // size)
            result += array.real.ravel().tolist()
    np.asarray(answers)[: len(result)] = result
    return len(result)


def stepped_strides(array):
    """Tell the strides in bytes; 0 for those that are never stepped along, which numpy is free to change."""
    if 0 in array.shape:
        return [0] * array.ndim
    return [0 if n == 1 else stride for n, stride in zip(array.shape, array.strides)]


def differences(view: memoryview, index: int, is_writable: bool) -> str:
    """Tell in what a view from Swift is not the array that numpy made of the same descriptor."""
    expected = kept[index]
    array = np.asarray(view)
    seen = {
        "shape": (view.shape, expected.shape),
        "strides": (stepped_strides(array), stepped_strides(expected)),
        "strides of the view": (stepped_strides(StridesOf(view)), stepped_strides(expected)),
        "item size": (view.itemsize, expected.itemsize),
        "byte count": (view.nbytes, expected.nbytes),
        "read-only": (view.readonly, not is_writable),
        "dtype": (array.dtype.str, expected.dtype.str),
        "C order": (array.flags.c_contiguous, expected.flags.c_contiguous),
        "Fortran order": (array.flags.f_contiguous, expected.flags.f_contiguous),
    }
    if view.shape != (0,):  # CPython goes by the stride there, numpy does not
        seen["C order of the view"] = (view.c_contiguous, expected.flags.c_contiguous)
        seen["Fortran order of the view"] = (view.f_contiguous, expected.flags.f_contiguous)
    if expected.size:
        addresses = [a.__array_interface__["data"][0] for a in (array, expected)]
        seen["address"] = tuple(addresses)
    if 0 < expected.size <= LONGEST_LISTING:
        seen["elements"] = (array.tolist(), expected.tolist())
        if view.format != "e" and len(view.format) == 1:  # what memoryview itself can read
            seen["elements of the view"] = (view.tolist(), expected.tolist())
    return ", ".join(f"{what} {a}, not {b}" for what, (a, b) in seen.items() if a != b)


class StridesOf:
    """A memoryview as `stepped_strides` reads an array."""

    def __init__(self, view: memoryview) -> None:
        self.shape, self.strides, self.ndim = view.shape, view.strides, view.ndim


def echo(view):
    return np.asarray(view)


# The other direction: arrays that Python makes.

TYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c16", "c8"]
OTHERS = ["g", "G", "S3", "U1", "V8", "M8[s]", "m8[ns]", "f8,i4", "3i4", "O"]


def random_array(chance: random.Random, memory):
    """Make an array somewhere in `memory`, or in memory of numpy's own."""
    text = chance.choice(TYPES if chance.random() < 0.95 else OTHERS)
    dtype = np.dtype(text)
    if chance.random() < 0.1:
        dtype = dtype.newbyteorder(">")
    if dtype.hasobject:
        return np.empty(chance.choice([(), 2, (2, 3)]), dtype)
    if dtype.subdtype:
        dtype = np.dtype([("field", dtype)])
    shape = [
        chance.choice([0, 1, 1, 2, 2, 3, 4]) for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3, 5]))
    ]
    steps, distance = [], dtype.itemsize
    for length in reversed(shape):
        steps.insert(0, distance)
        distance *= max(length, 1)
    odd = chance.random() < 0.15
    for axis, _ in enumerate(steps):
        if chance.random() < 0.3:
            steps[axis] *= chance.choice([-2, -1, 0, 2, 3])
        if odd and chance.random() < 0.5:
            steps[axis] += chance.randint(-9, 9)
    if chance.random() < 0.2:
        shape.reverse()
        steps.reverse()
    flat = np.asarray(memory) if chance.random() < 0.7 else np.asarray(memory).copy()
    distances = [(n - 1) * s for n, s in zip(shape, steps)]
    low = -sum(d for d in distances if d < 0)
    high = sum(d for d in distances if d > 0) + dtype.itemsize
    if low + high > len(flat) - 16:
        return np.zeros(shape, dtype, order=chance.choice("CF"))
    offset = low + (chance.randint(0, 15) if chance.random() < 0.15 else -low % 16)
    if not 0 <= offset <= len(flat) - high:
        offset = low
    return changed(chance, np.ndarray(shape, dtype, flat, offset, steps))


def changed(chance: random.Random, array):
    """Change an array by one of numpy's own ways to look at it otherwise."""
    way = chance.randrange(8)
    if way == 0:
        return array.T
    if way == 1:
        return array[
            (..., *(slice(None, None, chance.choice([-2, -1, 1, 2])) for _ in array.shape))
        ]
    if way == 2:
        return np.broadcast_to(array, (chance.randint(0, 3), *array.shape))
    if way == 3:
        return array[..., np.newaxis]
    if way == 4 and array.dtype.kind == "c":
        return array.imag
    if way == 5 and array.flags.c_contiguous and array.ndim:
        return array.view("V1") if chance.random() < 0.1 else array.reshape(-1)
    return array


def type_of(array) -> int:
    """Tell which of `TYPES` Swift may read the array as; -1 for none."""
    dtype = array.dtype
    if not dtype.isnative or dtype.str[1:] not in [np.dtype(t).str[1:] for t in TYPES]:
        return -1
    if array.size:
        size = dtype.itemsize
        if array.__array_interface__["data"][0] % dtype.alignment:
            return -1
        if any(n > 1 and stride % size for n, stride in zip(array.shape, array.strides)):
            return -1
    return [np.dtype(t) for t in TYPES].index(dtype)


def make_arrays(seed: int, count: int, memory) -> list:
    """Make arrays, and tell of each the index of its type, whether it is one row, and whether Swift has its memory."""
    chance = random.Random(seed)
    kept[:] = [random_array(chance, memory) for _ in range(count)]
    address = np.asarray(memory).__array_interface__["data"][0]
    answers = []
    for array in kept:
        start = array.__array_interface__["data"][0]
        is_shared = bool(array.size) and address <= start < address + len(memory)
        answers += (
            type_of(array),
            array.ndim == 1 and array.flags.c_contiguous,
            is_shared,
            array.size == 0,
        )
    return [int(answer) for answer in answers]


def array(index: int):
    return kept[index]


def describe(index: int) -> str:
    array = kept[index]
    return (
        f"a numpy array of {array.dtype.str!r}, shape {array.shape}, strides {array.strides}, "
        f"{array.__array_interface__['data'][0] % 16} bytes beyond a multiple of 16"
    )


def differs(index: int, shape: list, values) -> bool:
    """Whether Swift read another shape or other elements; bit for bit, but any byte other than 0 is true."""
    array = np.ascontiguousarray(kept[index])
    if list(kept[index].shape) != shape:
        return True
    if array.dtype == bool:
        return (array.view(np.uint8).ravel() != 0).tolist() != np.asarray(values).tolist()
    return array.tobytes() != np.asarray(values).tobytes()
