"""What a storm of calls asks of Python."""

import numpy as np

kept: dict = {}


def total(view) -> int:
    return sum(view)


def double(view) -> None:
    for index, element in enumerate(view):
        view[index] = 2 * element


def flat(view) -> list[int]:
    return np.asarray(view).ravel().tolist()


def squares(view, allocate):
    result = allocate(len(view))
    np.square(view, out=np.asarray(result))
    return result


def count_up(count: int):
    return np.arange(count)


def apply(function, *arguments):
    return function(*arguments)


def fail(number: int) -> None:
    raise LookupError(f"number {number}")


def keep(view, key: int) -> None:
    kept[key] = np.asarray(view)


def kept_total(key: int) -> int:
    return int(kept[key].sum())


def drop(key: int) -> None:
    del kept[key]


def work(count: int) -> int:
    total = 0
    for number in range(count):
        total += number
    return total


class Token:
    def __init__(self, number: int) -> None:
        self.number = number

    def double(self) -> int:
        return 2 * self.number
