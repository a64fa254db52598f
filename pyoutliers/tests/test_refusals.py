"""What is refused, and in which words."""

import ctypes
import math

import numpy as np
import pytest

from pyoutliers import detect, detect_into, moments
from pyoutliers._scratch import BLOCK

from .reference import found_in, one_liner

BAD = {"NaN": math.nan, "infinity": math.inf, "-infinity": -math.inf}


@pytest.mark.parametrize("position", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 2])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
@pytest.mark.parametrize("name", BAD)
def test_the_first_bad_sample_is_named(name, dtype, position):
    x = np.zeros(3 * BLOCK + 5, dtype)
    x[position] = BAD[name]
    x[position + 1 :: 2] = math.nan
    for function in (found_in, moments, detect):
        with pytest.raises(ValueError, match=rf"samples\[{position}\] is {name}:"):
            function(x)


@pytest.mark.parametrize("position", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 2])
@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_omit_gives_what_the_finite_samples_give(bad, position):
    x = np.random.default_rng(5).normal(size=3 * BLOCK + 5)
    x[position] = bad
    x[7::97] = bad
    finite = np.flatnonzero(np.isfinite(x))
    expected = finite[one_liner(x[finite])]
    assert found_in(x, nan="omit") == expected.tolist()
    assert detect(x, nan="omit") == expected.tolist()
    assert moments(x, nan="omit") == pytest.approx((x[finite].mean(), x[finite].std()))


def test_omit_skips_blocks_without_a_finite_sample():
    x = np.full(3 * BLOCK, np.nan)
    x[2 * BLOCK : 2 * BLOCK + 9] = [0, 0, 0, 0, 0, 0, 0, 0, 5]
    assert found_in(x, nan="omit") == [2 * BLOCK + 8]


def test_omit_with_nothing_left_finds_nothing():
    x = np.full(BLOCK + 1, np.nan)
    assert found_in(x, nan="omit") == []
    assert all(math.isnan(moment) for moment in moments(x, nan="omit"))


def test_omit_leaves_infinity_out_of_huge_data():
    x = np.array([1e200, math.inf, -1e200, math.nan, 3.0])
    assert found_in(x, nan="omit") == []
    assert moments(x, nan="omit") == (1.0, math.inf)


REFUSED = {
    "foreign byte order": np.zeros(3, np.dtype("f8").newbyteorder("S")),
    "complex": np.zeros(3, complex),
    "text": np.array(["a", "b"]),
    "object": np.array([1, None], object),
    "bool": np.zeros(3, bool),
    "structured": np.zeros(3, [("a", "f8")]),
    "datetime64": np.zeros(3, "M8[s]"),
    "longdouble": np.zeros(3, np.longdouble),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_types_of_samples_are_refused_by_name(name):
    for function in (found_in, moments, detect):
        with pytest.raises(TypeError, match=name):
            function(REFUSED[name])


@pytest.mark.parametrize("samples", [[1.0, 2.0], (1.0,), range(3), "text", 1.0, None])
def test_samples_without_a_buffer_are_refused(samples):
    with pytest.raises(TypeError, match=f"buffer protocol, not {type(samples).__name__}"):
        detect_into(samples, np.empty(3, np.int64))


@pytest.mark.parametrize("shape", [(), (2, 3), (0, 2)])
def test_samples_of_other_than_one_dimension_are_refused(shape):
    for function in (found_in, moments, detect):
        with pytest.raises(ValueError, match="one-dimensional"):
            function(np.zeros(shape))


def test_masked_arrays_are_refused():
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    for function in (moments, detect):
        with pytest.raises(TypeError, match="masked"):
            function(masked)


@pytest.mark.parametrize("dtype", ["f8", "i4", "u8", np.dtype("i8").newbyteorder("S"), "O"])
def test_other_types_of_indices_are_refused(dtype):
    with pytest.raises(TypeError, match="indices must be int64"):
        detect_into(np.zeros(3), np.zeros(3, dtype))


def test_indices_without_a_buffer_are_refused():
    with pytest.raises(TypeError, match="indices must be an array or have the buffer protocol"):
        detect_into(np.zeros(3), [0, 0, 0])


def test_indices_of_two_dimensions_are_refused():
    with pytest.raises(ValueError, match="indices must be one-dimensional"):
        detect_into(np.zeros(3), np.zeros((3, 1), np.int64))


def test_read_only_indices_are_refused():
    with pytest.raises(ValueError, match="indices must be writable"):
        detect_into(np.zeros(3), memoryview(np.zeros(3, np.int64)).toreadonly())


def test_indices_that_overlap_the_samples_are_refused():
    memory = np.zeros(10, np.int64)
    with pytest.raises(ValueError, match="overlap"):
        detect_into(memory[:6], memory[5:])


@pytest.mark.parametrize("threshold", [-1, -1e-300, math.nan, math.inf, -math.inf, 10**400])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold must be zero or more and finite"):
        detect([1.0, 2.0], threshold)


@pytest.mark.parametrize("threshold", ["2", None, 2j])
def test_thresholds_that_are_no_numbers_are_refused(threshold):
    with pytest.raises(TypeError, match="threshold must be a number"):
        detect([1.0, 2.0], threshold)


@pytest.mark.parametrize("nan", ["ignore", "", None, True])
def test_an_unknown_word_for_nan_is_refused(nan):
    for function in (found_in, moments, detect):
        with pytest.raises(ValueError, match="nan must be 'raise' or 'omit'"):
            function(np.zeros(3), nan=nan)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1.0, "2"], r"data\[1\] is str"),
        ([1.0, 2.0, None], r"data\[2\] is NoneType"),
        ([1, 2**70], r"data\[1\] is an integer that does not fit"),
        ([b"a"], r"data\[0\] is bytes"),
        ([True, False], "bool"),
        ([1, 2j], "complex"),
        ("text", "not str"),
        ({1.0, 2.0}, "not set"),
        (iter([1.0]), "not list_iterator"),
        (5.0, "not float"),
        (None, "not NoneType"),
    ],
)
def test_wrong_items_are_named(data, message):
    with pytest.raises(TypeError, match=message):
        detect(data)


@pytest.mark.parametrize("data", [[[1.0], [2.0]], [[1.0], [2.0, 3.0]]])
def test_nested_sequences_are_refused(data):
    with pytest.raises(ValueError, match="one-dimensional"):
        detect(data)


def test_a_call_works_after_a_failed_one():
    with pytest.raises(ValueError, match="NaN"):
        detect([math.nan])
    assert detect([0] * 9 + [5]) == [9]


def test_formats_that_numpy_does_not_know_are_refused_by_name():
    pointers = (ctypes.c_void_p * 3)()
    for samples in (pointers, memoryview(pointers)):
        with pytest.raises(TypeError, match="samples of buffer format '<P'"):
            detect_into(samples, np.empty(3, np.int64))
