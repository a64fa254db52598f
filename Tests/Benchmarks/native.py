"""Swift called from Python beside numpy's one-liner, by turns: `make bench` runs it."""

import statistics
import time

import numpy as np

from pyoutliers import native

SAMPLES = 10_000_000
TURNS = 15


def one_liner(x):
    return np.where(np.abs(x - x.mean()) > 2 * x.std())[0]


def main():
    x = np.random.default_rng(1).normal(size=SAMPLES)
    times = {one_liner: [], native.detect: []}
    for _ in range(TURNS):
        found = []
        for function, taken in times.items():
            start = time.perf_counter()
            found.append(function(x))
            taken.append(time.perf_counter() - start)
        assert np.array_equal(*found), "the answers differ"
    numpy, swift = (statistics.median(taken) for taken in times.values())
    print(f"{SAMPLES:,} float64, {found[0].size:,} outliers, medians of {TURNS} turns")
    print(f"numpy's one-liner         {numpy * 1e3:7.1f} ms")
    print(f"pyoutliers.native.detect  {swift * 1e3:7.1f} ms: {numpy / swift:.1f} times as fast")


if __name__ == "__main__":
    main()
