"""Working memory that is kept from call to call."""

from __future__ import annotations

from collections import deque

import numpy as np

# The samples of a block: enough to pay for some fifteen numpy calls, and few enough that those
# after the first find it in the second-level cache. With 16, 32, 64 and 128 Ki samples ten million
# uniform ones took 2.4, 2.0, 1.8 and 1.8 ns each, where that cache has 2 MiB.
BLOCK = 65_536

# Of what is converted or shifted on the way, so that this fits in beside it.
PART = BLOCK // 2


class Scratch:
    """What one thread needs to go through a block.

    It is kept because fresh memory would cost a small call an allocation and a large one a page
    fault for each of its pages.

    Attributes
    ----------
    values : numpy.ndarray
        `PART` float64.
    above, below : numpy.ndarray
        `BLOCK` bool.
    above_words, below_words : numpy.ndarray
        The same memory, as uint64.
    hit : numpy.ndarray
        A bool for each of these words.
    """

    __slots__ = ("above", "above_words", "below", "below_words", "hit", "values")

    def __init__(self) -> None:
        self.values = np.empty(PART, np.float64)
        self.above_words, self.below_words = np.empty((2, BLOCK // 8), np.uint64)
        self.above = self.above_words.view(np.bool_)
        self.below = self.below_words.view(np.bool_)
        self.hit = np.empty(BLOCK // 8, np.bool_)


# Whoever goes through samples takes one out meanwhile: threads must not share it, since numpy lets
# others run inside its loops, nor must a detection and another one that its progress starts. Both
# ends of a deque are safe under threads; beyond its length the one that waited longest is dropped.
_spare: deque[Scratch] = deque(maxlen=8)


def borrow() -> Scratch:
    """Take scratch that nobody else uses.

    Returns
    -------
    Scratch
        Uninitialised memory, to be handed to `give_back`.
    """
    try:
        return _spare.pop()
    except IndexError:
        return Scratch()


def give_back(scratch: Scratch) -> None:
    """Keep scratch for the next one.

    Parameters
    ----------
    scratch : Scratch
        What `borrow` returned.
    """
    _spare.append(scratch)
