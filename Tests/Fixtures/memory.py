"""What the tests ask of Python about memory it is given."""

import numpy as np

kept: dict[str, object] = {}


def address(memory) -> int:
    return np.asarray(memory).__array_interface__["data"][0]


def has_canonical_dtype(memory, name: str) -> bool:
    return np.asarray(memory).dtype is np.dtype(name)


def values(memory) -> list:
    return np.asarray(memory).tolist()


def value_at(memory, index: int):
    return np.asarray(memory)[index].item()


def stride(memory) -> int:
    return np.asarray(memory).strides[0]


def fill(memory, values) -> None:
    np.asarray(memory)[:] = values


def copy(source, target) -> int:
    np.asarray(target)[:] = np.asarray(source)
    return len(source)


def set_first(memory, value) -> None:
    memory[0] = value


def set_first_by_numpy(memory, value) -> None:
    np.asarray(memory)[0] = value


def set_last(memory, value) -> None:
    memory[-1] = value


def set_bytes(memory, value: int) -> None:
    np.asarray(memory).view(np.uint8)[:] = value


def both_addresses(first, second) -> list[int]:
    return [address(first), address(second)]


def keep_array(memory, name: str) -> None:
    kept[name] = np.asarray(memory)


def kept_values(name: str) -> list:
    return np.asarray(kept[name]).tolist()


def forget(name: str) -> None:
    del kept[name]


def as_array(memory):
    return np.asarray(memory)


def date(seconds: int):
    return np.datetime64(seconds, "s")
