"""Plain values, to and fro."""

from dataclasses import dataclass

import numpy as np


def identity(value):
    return value


def describe(value) -> str:
    return f"{type(value).__name__} {value!r}"


def length(value) -> int:
    return len(value)


def all(*values, **named) -> str:
    return f"{values} {named}"


def lengths(*values, **named) -> str:
    return f"{[len(value) for value in values]} { {name: len(value) for name, value in named.items()} }"


def named(first=0, second=0) -> int:
    return first + second


def add(first, second):
    return first + second


def is_same(first, second) -> bool:
    return first is second


@dataclass
class Point:
    x: int
    y: int

    def norm(self) -> float:
        return float(np.hypot(self.x, self.y))


def countdown(start: int, failure: str = ""):
    """Counts down to 1; raises half way when there is a message."""
    for number in range(start, 0, -1):
        if failure and number == start // 2:
            raise ValueError(failure)
        yield number


class Index:
    """An integer that is no int."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Iterable:
    """Raises when it is iterated over."""

    def __init__(self, failure):
        self.failure = failure

    def __iter__(self):
        raise self.failure
