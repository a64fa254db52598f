"""What the tests share: the results to compare with, and ways to call."""

import math
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

import pyoutliers
from pyoutliers import detect_into

PARENT = Path(pyoutliers.__file__).parents[1]


def one_liner(samples, threshold=2.0):
    """The expression that defines the result, in float64."""
    x = np.asarray(samples, dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty mean
        return np.flatnonzero(np.abs(x - x.mean()) > threshold * x.std())


def within_rounding(samples, threshold=2.0):
    """Indices where the two sides of the comparison are too close for float64 to tell apart.

    Both sides are made from a mean and a deviation that numpy sums pairwise, so each carries an
    error of at most (16 + log2 n) roundings of the largest sample; the right side carries it
    `threshold` times.
    """
    x = np.asarray(samples, dtype=np.float64)
    if x.size == 0:
        return np.empty(0, np.int64)
    roundings = 16 + math.log2(x.size)
    slack = roundings * np.finfo(np.float64).eps * np.abs(x).max() * (1 + threshold)
    return np.flatnonzero(np.abs(np.abs(x - x.mean()) - threshold * x.std()) <= slack)


def exact_moments(samples):
    """Mean and population standard deviation in rational arithmetic, rounded once."""
    x = [Fraction(float(sample)) for sample in samples]
    mean = sum(x) / len(x)
    return float(mean), math.sqrt(sum((sample - mean) ** 2 for sample in x) / len(x))


def found_in(samples, *, room=None, **options):
    """The indices that detect_into writes, as a list."""
    indices = np.full(np.asarray(samples).size if room is None else room, -1, np.int64)
    found = detect_into(samples, indices, **options)
    assert (indices[found:] == -1).all()
    return indices[:found].tolist()


def in_a_fresh_process(code, *options):
    """Run Python code with the package importable; return what it printed."""
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, cwd=PARENT, capture_output=True, text=True, check=True)
