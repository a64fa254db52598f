"""Threads, warnings, the import and the test data."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pyoutliers
from pyoutliers import detect, gen_testdata
from pyoutliers._scratch import BLOCK

from .reference import found_in, in_a_fresh_process, one_liner


def test_threads_do_not_disturb_each_other():
    series = [np.random.default_rng(seed).normal(seed, size=20 * BLOCK) for seed in range(8)]
    expected = [one_liner(x).tolist() for x in series]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            assert list(pool.map(found_in, series)) == expected


def test_no_warning_is_given_where_numpy_would_give_one():
    code = """if True:
        import numpy as np, pyoutliers
        np.seterr(all="raise")
        for data in ([], [1e308] * 9 + [-1e308] * 9, [1e200, 0.0], [5e-324, 1.0]):
            pyoutliers.detect(data)
            pyoutliers.moments(np.array(data))
        print(pyoutliers.detect([0.0] * 9 + [5, np.inf, np.nan, -np.inf], nan="omit"))
        print(np.geterr()["over"])
    """
    result = in_a_fresh_process(code, "-W", "error")
    assert (result.stdout, result.stderr) == ("[9]\nraise\n", "")


def test_the_import_does_not_load_matplotlib():
    result = in_a_fresh_process("import pyoutliers, sys; print('matplotlib' in sys.modules)")
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", pyoutliers.__all__)
def test_everything_public_is_there(name):
    assert hasattr(pyoutliers, name)


def test_the_test_data_always_has_the_same_three_outliers():
    for _ in range(200):
        assert detect(gen_testdata()) == [7, 113, 835]


def test_the_test_data_is_a_thousand_uniform_floats_with_97_added_to_three():
    data = np.array(gen_testdata())
    data[[7, 113, 835]] -= 97
    assert data.shape == (1000,)
    assert data.min() >= 0
    assert data.max() < 1
    assert 0.4 < data.mean() < 0.6


def test_the_test_data_differs_from_call_to_call():
    assert gen_testdata() != gen_testdata()
