"""Data whose outliers are known beforehand."""

from __future__ import annotations

import random

_SIZE = 1000
_OUTLIERS = (7, 113, 835)
_DISTANCE = 97.0


def gen_testdata() -> list[float]:
    """Draw uniform samples and move three of them far away.

    Returns
    -------
    list[float]
        1000 samples from [0, 1), different at each call, with 97 added to those at 7, 113 and
        835. Their standard deviation is about 5.3, so these three are its only outliers.
    """
    samples = [random.random() for _ in range(_SIZE)]
    for index in _OUTLIERS:
        samples[index] += _DISTANCE
    return samples
