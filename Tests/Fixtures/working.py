"""Functions that workers are tested with."""

import logging
import os
import signal
import sys
import time

import numpy as np

kept = []


def add(a, b):
    return a + b


def identity(value):
    return value


def grow(list):
    list.append(0)
    return len(list)


def let_go(view):
    size = view.nbytes
    view.release()
    return size


def kind(value):
    return type(value).__name__


def process():
    return os.getpid()


def address(buffer):
    return np.asarray(buffer).__array_interface__["data"][0]


def fill(buffer, value):
    np.asarray(buffer)[:] = value


def total(buffer):
    return float(np.asarray(buffer).sum())


def keep(buffer):
    kept.append(np.asarray(buffer))


def give(count):
    return np.arange(count, dtype=np.float64)


def allocate(allocator, count):
    memory = allocator(count)
    np.asarray(memory)[:] = np.arange(count)
    return memory


def fail(message):
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError(message) from error


def crash():
    print("about to crash", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(status):
    os._exit(status)


def sleep(seconds):
    time.sleep(seconds)


def apply(function, *values):
    return function(*values)


def apply_catching(function, value):
    try:
        function(value)
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__name__}: {error}"


def speak(text):
    print(text)
    logging.getLogger("working").error("logged %s", text)


def describe(value):
    array = np.asarray(value)
    return f"{array.dtype} {list(array.shape)} {list(array.strides)} {'rw' if array.flags.writeable else 'r'}"


def negate(value):
    array = np.asarray(value)
    array[...] = ~array if array.dtype == bool else -array


def flat(value):
    return np.asarray(value).ravel().tolist()


def drop():
    kept.clear()


def kept_total():
    return float(kept[-1].sum())


def change_and_tell(buffer, tell):
    """Write, have Swift look and write, and return what Swift wrote."""
    array = np.asarray(buffer)
    array[0] = 3
    tell()
    return float(array[1])


def transposed(value):
    return np.asarray(value).T


def every_other(value):
    return np.asarray(value)[::2]


def grid(rows, columns):
    return np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)


def as_type(value, name):
    return np.asarray(value).astype(name)


def no_numbers(kind):
    return np.zeros(2, kind)


def nothing_at_all(count):
    return np.zeros(0 if count == 0 else (0, count))


def recurse(depth):
    if depth == 0:
        raise ValueError("x" * 200_000)
    recurse(depth - 1)


def chain(count):
    error = None
    for number in range(count):
        try:
            raise ValueError(str(number)) from error
        except ValueError as caught:
            error = caught
    raise error


def long_list(count):
    return list(range(count))


def long_texts(count):
    return [str(number) * 10 for number in range(count)]


def log(level, message):
    logging.getLogger("working.part").log(level, "%s", message)


def write(text, to_error):
    (sys.stderr if to_error else sys.stdout).write(text)


def square(number):
    return number * number


def squares_in_processes(count):
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(square, range(count))


def fork_and_return():
    """The child returns from the call too."""
    child = os.fork()
    if child == 0:
        return -1
    os.waitpid(child, 0)
    return child


answer = 42


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def raise_unspeakable():
    raise Unspeakable()
