"""Takes Swift's memory, and gives memory to Swift, through the libraries that speak DLPack or Arrow."""

import gc
import importlib
import importlib.util
import threading
import weakref

import numpy as np
import polars as pl
import pyarrow as pa

from Tests.Fixtures.capsules import Fake, HandMade, forget_null_count, give  # noqa: F401  (for expressions)

REQUIRED = ["numpy", "pyarrow", "polars"]
OPTIONAL = ["torch"]

kept: dict[str, object] = {}


def libraries() -> list[str]:
    return REQUIRED + [name for name in OPTIONAL if importlib.util.find_spec(name)]


def lacks(library: str, dtype: str) -> bool:
    """Whether a library has no type of that name whose elements have whole bytes."""
    if library in ("pyarrow", "polars") and dtype.startswith(("bool", "complex")):
        return True
    has_type = {
        "numpy": lambda: True,
        "pyarrow": lambda: True,
        "polars": lambda: dtype != "float16" or hasattr(pl, "Float16"),
        "torch": lambda: hasattr(importlib.import_module("torch"), dtype),
    }
    return not has_type[library]()


# What Swift gives


def take(exporter, library: str):
    """Make an array of `library` from Swift's exporter."""
    module = importlib.import_module(library)
    return {
        "numpy": lambda: module.from_dlpack(exporter),
        "torch": lambda: module.from_dlpack(exporter),
        "pyarrow": lambda: module.array(exporter),
        "polars": lambda: module.Series(exporter),
    }[library]()


class Request:
    """Remembers how a library asks for a tensor."""

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, **arguments):
        self.arguments = arguments
        return np.zeros(1).__dlpack__()


def takes_read_only(library: str) -> bool:
    """Whether a library can be told that memory is read-only: by Arrow always, by DLPack if it asks for version 1."""
    if library in ("pyarrow", "polars"):
        return True
    request = Request()
    take(request, library)
    return request.arguments.get("max_version", (0, 8))[0] >= 1


def describe(array) -> str:
    """Tell type, shape, strides in elements and address, by what each library says of itself."""
    array = getattr(array, "wrapped", array)
    if isinstance(array, pa.ChunkedArray):
        (array,) = array.chunks
    if isinstance(array, pa.Array):
        size = array.type.bit_width // 8
        facts = array.type, [len(array)], [1], array.buffers()[1].address + array.offset * size
    elif isinstance(array, pl.Series):
        address = array.to_numpy(allow_copy=False).__array_interface__["data"][0]
        facts = array.dtype, list(array.shape), [1], address
    elif isinstance(array, np.ndarray):
        strides = [stride // array.itemsize for stride in array.strides]
        facts = array.dtype, list(array.shape), strides, array.__array_interface__["data"][0]
    else:
        facts = array.dtype, list(array.shape), list(array.stride()), array.data_ptr()
    name = str(facts[0]).lower().removeprefix("torch.")
    name = {"double": "float64", "float": "float32", "halffloat": "float16"}.get(name, name)
    return "{} {} by {} at {}".format(name, *facts[1:])


def values_of(array) -> list:
    """List the elements, the last index counting fastest."""
    array = getattr(array, "wrapped", array)
    if isinstance(array, (pa.Array, pa.ChunkedArray, pl.Series)):
        return array.to_list() if isinstance(array, pl.Series) else array.to_pylist()
    return array.flatten().tolist()


def describe_lent(view, library: str) -> str:
    return describe(take(view.obj, library))


def values_of_lent(view, library: str) -> list:
    return values_of(take(view.obj, library))


def is_writable(exporter) -> bool:
    return np.from_dlpack(exporter).flags.writeable


def set_first(exporter, library: str, value) -> None:
    take(exporter, library)[0] = value


def tamper(exporter, library: str) -> None:
    """Change an immutable array by all that its library has for it."""
    array = take(exporter, library)
    if library == "polars":
        # Before version 2 it assigns items in place, whoever the memory is of.
        if int(importlib.import_module("polars").__version__.split(".")[0]) >= 2:
            array[0] = -1.0
        array.sort(descending=True, in_place=True)
        array = take(exporter, library).to_numpy(allow_copy=False)
    else:
        assert not array.buffers()[1].is_mutable
        array = array.to_numpy()
    try:
        array[0] = -1.0
    except ValueError:  # numpy's, for what is read-only
        return
    raise AssertionError("numpy may write to it")


def request(exporter, arguments: str) -> str:
    """Ask for a tensor with these arguments and name the capsule."""
    return repr(eval(f"exporter.__dlpack__({arguments})", {"exporter": exporter})).split('"')[1]


def device(exporter) -> list:
    return list(exporter.__dlpack_device__())


def take_with_wish(exporter, dtype: str) -> str:
    """Ask for an Arrow array of another type, and name the type that comes."""
    wish = getattr(pa, dtype)().__arrow_c_schema__()
    return str(pa.array(FakeArrow(exporter.__arrow_c_array__(requested_schema=wish))).type)


def keep_lent(view, library: str) -> None:
    kept[library] = view.obj if library == "exporter" else take(view.obj, library)


def keep(exporter, library: str) -> None:
    kept[library] = take(exporter, library)


def kept_under(library: str):
    return kept[library]


def forget(library: str) -> None:
    del kept[library]


def forget_on_a_thread(library: str) -> None:
    run_on_threads(lambda: forget(library), 1)


def run_on_threads(body, count: int) -> None:
    failures = []

    def run() -> None:
        try:
            body()
        except BaseException as failure:  # what a thread raises is lost otherwise
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def sums_on_threads(exporter, library: str) -> list:
    sums = []
    run_on_threads(lambda: sums.append(sum(values_of(take(exporter, library)))), 4)
    return sums


def take_twice(exporter, library: str) -> bool:
    """Take one capsule twice; whether the second time raises or gives something empty, and the first array stays."""
    if library in ("pyarrow", "polars"):
        source = FakeArrow(exporter.__arrow_c_array__())
    else:
        # numpy asks for versioned tensors from 2.1 on.
        is_old = library == "numpy" and np.lib.NumpyVersion(np.__version__) < "2.1.0"
        source = Fake(exporter.__dlpack__() if is_old else exporter.__dlpack__(max_version=(1, 0)))
    first = take(source, library)
    before = values_of(first)
    try:
        second = take(source, library)
    except Exception:
        second = []
    return len(second) == 0 and values_of(first) == before


def round_trip(exporter, library: str) -> int:
    return len(take(exporter, library))


def pass_through_threads(exporter) -> float:
    """Have the threads of polars and pyarrow compute with Swift's memory, and let go of it."""
    series = pl.Series(exporter)
    frame = pl.LazyFrame([series.alias("a"), series.alias("b")])
    total = frame.select(pl.col("a").sort().sum() + pl.col("b").max()).collect()
    table = pa.table({"key": pa.array(exporter), "value": pa.array(exporter)})
    sums = table.group_by("key", use_threads=True).aggregate([("value", "sum")])
    return total.item() + sum(sums["value_sum"].to_pylist())


# What gives memory to Swift


class OnlyDLPack:
    """Hides the buffer protocol of an array, and how it can be found behind another."""

    def __init__(self, array):
        self.wrapped = array

    def __dlpack_device__(self):
        return self.wrapped.__dlpack_device__()

    def __dlpack__(self, **arguments):
        return self.wrapped.__dlpack__(**arguments)


class OldDLPack(OnlyDLPack):
    """Knows no versions, as before DLPack 1.0."""

    def __dlpack__(self, stream=None):
        return self.wrapped.__dlpack__(stream=stream)


class OnlyArrow:
    """Hides everything but the Arrow C data interface."""

    def __init__(self, array):
        self.wrapped = array

    def __arrow_c_array__(self, requested_schema=None):
        return self.wrapped.__arrow_c_array__(requested_schema)


class Uncounted(OnlyArrow):
    """Has nulls or not, which nobody has counted."""

    def __arrow_c_array__(self, requested_schema=None):
        pair = super().__arrow_c_array__(requested_schema)
        forget_null_count(pair[1])
        return pair


def make(source: str, dtype: str, values: list):
    """Make an array of a source, such as `torch` or `pyarrow by Arrow`, that owns its memory."""
    array = np.array(values, dtype)
    return {
        "numpy by DLPack": lambda: OnlyDLPack(array),
        "numpy by old DLPack": lambda: OldDLPack(array),
        "pyarrow by DLPack": lambda: OnlyDLPack(pa.array(array)),
        "pyarrow by Arrow": lambda: OnlyArrow(pa.array(array)),
        "pyarrow": lambda: pa.array(array),
        "pyarrow in one chunk": lambda: pa.chunked_array([pa.array(array)]),
        "polars": lambda: pl.Series(array),
        "torch": lambda: importlib.import_module("torch").from_numpy(array).clone(),
    }[source]()


def make_layout(source: str, layout: str):
    """Make an array of int32 from 0 on, of several dimensions."""
    flat = make(source, "int32", list(range(24)))
    array = getattr(flat, "wrapped", flat).reshape(2, 3, 4)
    array = {
        "rows": lambda: array,
        "reversed dimensions": lambda: array.T if source != "torch" else array.permute(2, 1, 0),
        "swapped dimensions": lambda: array.swapaxes(0, 2),
        "steps": lambda: array[1, ::2, 1::2],
        "backwards": lambda: array[::-1, :, ::-2],
        "repeated": lambda: (
            # Not broadcast_to, whose arrays are read-only: DLPack before version 1 has none of those.
            np.lib.stride_tricks.as_strided(array[0, 0], (3, 4), (0, array.strides[-1]))
            if source != "torch"
            else array[0, 0].expand(3, 4)
        ),
        "single element": lambda: array[1, 2, 3:4].reshape(()),
        "empty": lambda: array[:, :0],
    }[layout]()
    return type(flat)(array) if hasattr(flat, "wrapped") else array


def identity(value):
    return value


def watch(array):
    return weakref.ref(getattr(array, "wrapped", array))


def is_alive(watched) -> bool:
    gc.collect()
    return watched() is not None


def churn() -> int:
    """Write over what was freed."""
    arrays = [np.full(size, -1.0) for size in (3, 7, 100, 10_000) for _ in range(50)]
    arrays += [pl.Series(array) + 1 for array in arrays] + [pa.array(array.tolist()) for array in arrays[:100]]
    return len(arrays)


def consumed(pair):
    pa.array(FakeArrow(pair))
    return pair


def failing_stream():
    def batches():
        yield pa.record_batch({"a": [1.5]})
        raise ValueError("no second batch")

    return pa.RecordBatchReader.from_batches(pa.schema({"a": pa.float64()}), batches()).__arrow_c_stream__()


def evaluate(expression: str):
    names = globals() | {name: importlib.import_module(name) for name in OPTIONAL if name in libraries()}
    return eval(expression, names)


def deletions(tensor) -> int:
    return tensor.deleted


class FakeArrow:
    def __init__(self, pair):
        self.pair = pair

    def __arrow_c_array__(self, requested_schema=None):
        return give(self.pair)


class FakeStream:
    def __init__(self, capsule):
        self.capsule = capsule

    def __arrow_c_stream__(self, requested_schema=None):
        return give(self.capsule)
