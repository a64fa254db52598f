"""Takes Swift's memory, and gives memory to Swift, through the libraries that speak DLPack or Arrow."""

import importlib
import importlib.util

import numpy as np

kept: dict[str, object] = {}


def has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def take(exporter, library: str):
    """Make an array of `library` from Swift's exporter."""
    module = importlib.import_module(library)
    if library in ("numpy", "torch"):
        return module.from_dlpack(exporter)
    if library == "pyarrow":
        return module.array(exporter)
    return module.Series(exporter)


def address_of(array) -> int:
    """Tell where the first element lies, by what each library says of itself."""
    if hasattr(array, "data_ptr"):
        return array.data_ptr()
    if hasattr(array, "to_numpy") and hasattr(array, "rechunk"):
        array = array.to_numpy(allow_copy=False)
    if hasattr(array, "buffers"):
        return array.buffers()[1].address
    return array.__array_interface__["data"][0]


def type_of(array) -> str:
    """Name the element type as numpy does."""
    name = str(array.dtype if hasattr(array, "dtype") else array.type).lower()
    name = name.removeprefix("torch.").replace("halffloat", "float16")
    return {"double": "float64", "float": "float32"}.get(name, name)


def values_of(array) -> list:
    return array.to_list() if hasattr(array, "to_list") else array.tolist()


def facts(exporter, library: str) -> list:
    array = take(exporter, library)
    return [address_of(array), type_of(array), values_of(array)]
