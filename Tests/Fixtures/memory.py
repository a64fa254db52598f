"""What the tests ask of Python about memory it is given."""

import builtins
import gc

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


def array_of_released_memory(count: int, allocate):
    memory = allocate(count)
    array = np.asarray(memory)
    array.base.release()
    memory.release()
    return array


class Length:
    """A length that raises when it is asked for."""

    def __init__(self, error: str):
        self.error = error

    def __index__(self) -> int:
        raise getattr(builtins, self.error)("mine")


def allocate_raising(allocate, error: str):
    return allocate(Length(error))


def steal(length: int) -> None:
    """Keep every writable memoryview of that length that the collector knows."""
    views = [view for view in gc.get_objects() if type(view) is memoryview]
    kept["stolen"] = [view for view in views if not view.readonly and len(view) == length]


def ignore(*arguments) -> None:
    pass


def double(memory) -> None:
    np.asarray(memory)[:] *= 2


def keep_both(first, second, name: str) -> None:
    kept[name] = [np.asarray(first), np.asarray(second)]


def release(view) -> None:
    view.release()


def call_within(view, back):
    return back(view) and view[0]


def collectable_views(at: int) -> list:
    """The memoryviews of the memory at an address that the garbage collector knows."""
    return [view for view in gc.get_objects() if type(view) is memoryview and view.nbytes and address(view) == at]
