"""Where the positions go that a search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

# Two for each of as many outliers as ten million normal samples have.
_MOST_BYTES = 2**20
# So many samples' positions fit into two bytes.
_SPAN = 2**16
# What an array takes beside its elements.
_OVERHEAD = 256


class Written:
    """Indices in the caller's memory: as many as fit.

    Parameters
    ----------
    indices : numpy.ndarray
        What `indices_array` returned.

    Attributes
    ----------
    count : int
        How many there are, which may be more than fit.
    """

    def __init__(self, indices: npt.NDArray[np.int64]) -> None:
        self._indices = indices
        self.count = 0

    def add(self, start: int, positions: npt.NDArray[np.integer[Any]]) -> None:
        """Write the indices of one block's outliers.

        Parameters
        ----------
        start : int
            Where the block starts.
        positions : numpy.ndarray
            Where they are in it.
        """
        if not positions.size:
            return
        end = self.count + positions.size
        if end <= self._indices.size:
            np.add(positions, start, self._indices[self.count : end], dtype=np.int64)
        self.count = end


class Remembered:
    """Positions until there is memory for the indices.

    Attributes
    ----------
    count : int
        How many there are.
    blocks : list, optional
        Where each block starts and the positions in it; none if they are too many to remember.
    """

    def __init__(self) -> None:
        self.count = 0
        self.blocks: list[tuple[int, npt.NDArray[np.uint16]]] | None = []
        self._bytes = 0

    def add(self, start: int, positions: npt.NDArray[np.intp]) -> None:
        """Remember one block's outliers.

        Parameters
        ----------
        start : int
            Where the block starts.
        positions : numpy.ndarray
            Where they are in it, which is below 65 536.
        """
        if not positions.size:
            return
        self.count += positions.size
        if self.blocks is not None:
            first = self.blocks[-1][0] if self.blocks else -_SPAN
            is_near = start + int(positions[-1]) - first < _SPAN
            self._bytes += 2 * positions.size + (0 if is_near else _OVERHEAD)
            if self._bytes > _MOST_BYTES:
                self.blocks = None
            elif is_near:
                more = (positions + (start - first)).astype(np.uint16)
                self.blocks[-1] = first, np.concatenate((self.blocks[-1][1], more))
            else:
                self.blocks.append((start, positions.astype(np.uint16)))
