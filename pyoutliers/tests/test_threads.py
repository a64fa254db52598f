"""Several threads on one detection: the same result, and none of them left."""

import _thread
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pyoutliers import (
    _jobs,
    _moments,
    _passes,
    _scratch,
    detect,
    detect_allocating,
    detect_into,
    moments,
)
from pyoutliers._moments import moments_of
from pyoutliers._passes import go_through
from pyoutliers._progress import Progress
from pyoutliers._scratch import BLOCK
from pyoutliers._zones import ZoneMap

from .conftest import wait_for_thread_count
from .reference import found_in, one_liner

BLOCKS = 20


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def allocating(x, **options):
    return detect_allocating(x, lambda count: np.empty(count, np.int64), **options).tolist()


@pytest.fixture(params=[detect, found_in, allocating])
def function(request):
    return request.param


@pytest.fixture
def eager(monkeypatch):
    """Threads for any two blocks."""
    monkeypatch.setattr(_passes, "SAMPLES_PER_THREAD", BLOCK)
    monkeypatch.setattr(_passes, "_GROUP", BLOCK)
    monkeypatch.setattr(_moments, "_BLOCK", BLOCK)
    monkeypatch.setattr(_moments, "_WHOLE", 0)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i4", "u1"])
@pytest.mark.parametrize("offset", [0, 50])
def test_the_result_is_that_of_one_thread_to_the_last_bit(eager, function, threads, dtype, offset):
    x = (offset + 9 * np.random.default_rng(1).random(BLOCKS * BLOCK + 5) ** 3).astype(dtype)
    assert moments(x, threads=threads) == moments(x)
    assert function(x, threads=threads) == function(x)


def test_omitted_samples_are_omitted_by_all(eager, function):
    x = np.random.default_rng(2).normal(size=BLOCKS * BLOCK)
    x[::1000], x[5::777] = np.nan, np.inf
    assert function(x, nan="omit", threads=3) == function(x, nan="omit")


def test_huge_samples_have_the_same_mean(eager):
    x = np.random.default_rng(3).normal(size=BLOCKS * BLOCK) * 1e300
    assert moments(x, threads=3) == moments(x)
    assert moments(x)[1] == np.inf


def test_the_first_bad_sample_is_named_whoever_finds_it(eager, function):
    x = np.zeros(BLOCKS * BLOCK)
    x[6 * BLOCK + 7] = np.inf
    x[7 * BLOCK :: BLOCK] = np.nan
    for _ in range(20):
        with pytest.raises(ValueError, match=rf"samples\[{6 * BLOCK + 7}\] is infinity"):
            function(x, threads=4)


def test_too_small_indices_raise_and_say_how_many_were_needed(eager):
    x = np.random.default_rng(4).normal(size=BLOCKS * BLOCK).astype(np.float16)
    needed = one_liner(x).size
    for room in (0, needed - 1):
        with pytest.raises(ValueError, match=f"{needed} needed, it holds {room}"):
            detect_into(x, np.empty(room, np.int64), threads=3)


@pytest.mark.parametrize("step", [2, -1])
def test_results_land_in_order_in_strided_memory(eager, step):
    x = np.random.default_rng(5).normal(size=BLOCKS * BLOCK).astype(np.float16)
    memory = np.full(2 * x.size, -1, np.int64)
    found = detect_into(x, memory[::step], threads=3)
    assert memory[::step][:found].tolist() == one_liner(x).tolist()


@pytest.mark.parametrize("dtype", ["f8", "f2"])
def test_progress_is_told_by_the_caller_and_ascends(function, dtype):
    x = np.random.default_rng(6).normal(size=4_000_000).astype(dtype)
    calls, tellers = [], set()

    def progress(done, total):
        calls.append(done)
        assert total == 2 * x.size
        tellers.add(threading.current_thread())

    assert function(x, threads=3, progress=progress) == one_liner(x).tolist()
    assert tellers == {threading.main_thread()}
    assert calls == sorted(set(calls))
    assert x.size in calls
    assert calls[-1] == 2 * x.size
    assert len(calls) <= 8


def test_what_the_progress_raises_ends_all_threads(function):
    class Stopped(BaseException):
        pass

    calls = []

    def stop(*call):
        calls.append(call)
        raise Stopped

    with pytest.raises(Stopped):
        function(np.zeros(5_000_000), threads=3, progress=stop)
    assert len(calls) == 1


def test_the_progress_may_detect_itself_on_threads(function):
    x = np.random.default_rng(7).normal(size=2_100_000)
    inner = x[::-1].copy()
    expected = one_liner(inner).tolist()
    nested = []

    def progress(done, total):
        nested.append(detect(inner, threads=2) == expected)

    assert function(x, threads=2, progress=progress) == one_liner(x).tolist()
    assert set(nested) == {True}


def test_an_interruption_ends_all_threads(eager):
    x = np.zeros(200 * BLOCK)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        count = _thread._count()
        for milliseconds in range(1, 30):
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
            with pytest.raises(KeyboardInterrupt):
                while True:
                    moments(x, threads=3)
            wait_for_thread_count(count)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert moments(x, threads=3) == (0, 0)


def test_a_thread_that_cannot_be_started_is_told(eager, monkeypatch):
    start, started, refused = _thread.start_new_thread, [], threading.Event()

    def refuse(run, arguments):
        if started:
            refused.set()
            raise RuntimeError("can't start new thread")
        # Not done before the next one is needed, which it would be in its place.
        started.append(start(lambda: refused.wait() and run(*arguments), ()))

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        moments(np.zeros(BLOCKS * BLOCK), threads=3)


def test_a_thread_that_starts_when_all_is_done_touches_nothing(eager, monkeypatch):
    late = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda *call: late.append(call))
    x = np.random.default_rng(9).normal(size=BLOCKS * BLOCK)
    assert moments(x, threads=3) == moments(x)
    monkeypatch.setattr(_passes, "borrow", None)
    assert len(late) == 2
    for function, arguments in late:
        function(*arguments)


def test_threads_are_started_only_for_many_samples(monkeypatch):
    monkeypatch.delattr(_thread, "start_new_thread")
    few = _passes.SAMPLES_PER_THREAD * 2
    for x in (
        np.zeros(few),
        np.random.default_rng(15).normal(size=few).astype(np.float16),
    ):
        assert len(detect(x[:-1], threads=8)) == len(detect(x[:-1]))
        with pytest.raises(AttributeError):
            detect(x, threads=2)


def test_what_takes_many_short_calls_is_done_on_one_thread(monkeypatch):
    monkeypatch.delattr(_thread, "start_new_thread")
    normal = np.random.default_rng(16).normal(size=4 * _passes.SAMPLES_PER_THREAD)
    for x in (normal.astype(np.float32), np.repeat(normal, 2)[::2], normal + 7):
        assert detect(x, threads=8) == one_liner(x).tolist()


def test_the_first_pass_over_what_is_converted_or_shifted_is_of_one_thread(monkeypatch):
    monkeypatch.delattr(_thread, "start_new_thread")
    size = _passes.SAMPLES_PER_THREAD * 3
    for x in (np.ones(size, np.float32), np.ones((size, 2))[:, 0], np.full(size, 7.0)):
        assert moments(x, threads=8) == (x[0], 0)
    with pytest.raises(AttributeError):
        moments(np.zeros(size), threads=8)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("size", [1_000_000, _moments._AT_ONCE, _moments._WHOLE])
@pytest.mark.parametrize("fits", [False, True])
def test_threads_share_a_block_and_come_to_the_same(
    function, threads, size, fits, recwarn, monkeypatch
):
    monkeypatch.setattr(_moments, "_FITS", fits)
    started = []
    start = _jobs.start
    monkeypatch.setattr(_jobs, "start", lambda work: started.append(work) or start(work))

    def noted_moments(x, threads):
        before = len(started)
        found = moments_of(x, False, threads=threads, zones=ZoneMap(x, 50))
        assert len(started) - before == min(threads, size // _passes.SAMPLES_PER_THREAD) - 1
        return found[:2]

    for x in (
        np.random.default_rng(11).random(size),
        np.random.default_rng(12).random(size) - 0.5,
        np.random.default_rng(13).normal(size=size),
    ):
        x[[7, size // 2, -1]] = 97, -98, 99
        assert noted_moments(x, threads) == noted_moments(x, 1) == moments(x)
        assert function(x, threads=threads) == one_liner(x).tolist()
    x[size - 3] = np.nan
    with pytest.raises(ValueError, match=rf"samples\[{size - 3}\] is NaN"):
        function(x, threads=threads)
    assert function(x, nan="omit", threads=threads) == function(x, nan="omit")
    # The squares overflow, which is no cause to warn on any thread.
    x[:] = 1e300
    x[:BLOCK] = np.random.default_rng(14).random(BLOCK)
    assert noted_moments(x, threads) == noted_moments(x, 1) == moments(x)
    assert not recwarn.list


@pytest.mark.parametrize("fits", [False, True])
def test_what_fails_in_one_part_of_a_shared_block_leaves_the_others_alone(fits, monkeypatch):
    monkeypatch.setattr(_moments, "_FITS", fits)
    size = _moments._AT_ONCE - 5
    careful = []
    moments_of_block = _moments._careful_moments

    def noting(block, start, *rest):
        careful.append((start, block.size))
        return moments_of_block(block, start, *rest)

    monkeypatch.setattr(_moments, "_careful_moments", noting)
    x = np.random.default_rng(15).random(size)
    x[-3] = np.nan
    kept = x[np.isfinite(x)]
    for threads in (1, 2, 3):
        mean, deviation = moments(x, nan="omit", threads=threads)
        assert mean == pytest.approx(kept.mean(), rel=1e-14)
        assert deviation == pytest.approx(kept.std(), rel=1e-13)
        assert careful == [(2 * _moments._BLOCK, size - 2 * _moments._BLOCK)]
        careful.clear()


def test_what_one_thread_fails_to_note_is_raised_on_the_callers(monkeypatch):
    monkeypatch.setattr(_moments, "_FITS", False)
    monkeypatch.setattr(ZoneMap, "expect", lambda *_: 1 // 0)
    x = np.random.default_rng(16).random(1_000_000)
    for threads in (1, 2):
        with pytest.raises(ZeroDivisionError):
            detect(x, threads=threads)


@pytest.mark.parametrize("size", [35 * BLOCK + 77, 27 * BLOCK + 1])
def test_how_many_samples_are_gone_through_at_once_changes_nothing(size, monkeypatch):
    x = np.random.default_rng(10).normal(0.3, size=size)
    x[9 * BLOCK :] += 1e9  # digits would be lost there
    x[3] = 1e12
    expected = moments(x), detect(x)
    for fits in (False, True):
        monkeypatch.setattr(_moments, "_FITS", fits)
        for span in (BLOCK // 2, BLOCK, 3 * BLOCK):
            monkeypatch.setattr(_moments, "_SPAN", span)
            assert (moments(x), detect(x)) == expected


@pytest.mark.parametrize(
    "size", [524_288 + 20_000, 524_288 + 1, 3 * 524_288 + 32_768, 4 * 524_288 + 300]
)
def test_what_is_left_over_at_the_end_is_summed_alike_on_any_number_of_threads(size):
    for seed in range(20):
        x = np.random.default_rng(seed).random(size)
        assert moments(x, threads=2) == moments(x)


def test_memory_is_the_callers_again_when_the_call_has_returned(eager, monkeypatch):
    """A helper that never came to work, or is yet to end, holds nothing of it."""
    memory = bytearray(8 * BLOCKS * BLOCK)
    late = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda *call: late.append(call))
    with memoryview(memory).cast("d") as samples:
        assert detect_into(samples, np.empty(0, np.int64), threads=3) == 0
    memory.append(0)
    assert late


def test_memory_is_the_callers_again_when_the_call_has_failed(eager):
    memory = bytearray(8 * BLOCKS * BLOCK)
    samples = memoryview(memory).cast("d")
    samples[5 * BLOCK] = np.nan
    with pytest.raises(ValueError, match="NaN") as caught:
        moments(samples, threads=3)
    # The traceback has the frames, and those have the samples.
    del caught
    samples.release()
    memory.append(0)


@pytest.mark.parametrize("threads", [1, 3])
def test_only_the_blocks_that_are_any_work_are_gone_through(eager, threads):
    starts = [3 * BLOCK, 4 * BLOCK, 9 * BLOCK, (BLOCKS - 1) * BLOCK]
    size = (BLOCKS + 1) * BLOCK
    told, taken = [], []
    go_through(
        size,
        lambda start, scratch: start,
        lambda start, result: taken.append((start, result)),
        block=BLOCK,
        threads=threads,
        starts=starts,
        progress=Progress(lambda done, total: told.append(done), size),
    )
    assert taken == [(start, start) for start in starts]
    assert told[-1] == size


def test_detections_on_threads_do_not_disturb_each_other(eager):
    series = [np.random.default_rng(seed).normal(seed, size=BLOCKS * BLOCK) for seed in range(6)]
    expected = [one_liner(x).tolist() for x in series]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            assert list(pool.map(lambda x: found_in(x, threads=3), series)) == expected


def test_no_more_scratch_is_kept_than_is_worth_it():
    scratch = [_scratch.borrow() for _ in range(50)]
    assert len({id(one) for one in scratch}) == 50
    for one in scratch:
        _scratch.give_back(one)
    assert len(_scratch._spare) == 8


def test_results_are_taken_in_order_one_at_a_time_and_none_pile_up(eager):
    order, lock, waiting, most = [], threading.Lock(), set(), [0]
    first_is_slow = threading.Event()

    def work(start, scratch):
        with lock:
            waiting.add(start)
            most[0] = max(most[0], len(waiting))
        if start == 0:
            first_is_slow.wait(0.05)
        return start

    def take(start, result):
        assert start == result
        order.append(start)
        with lock:
            waiting.remove(start)

    go_through(BLOCKS * BLOCK - 1, work, take, block=BLOCK, threads=4)
    assert order == [block * BLOCK for block in range(BLOCKS)]
    assert 1 < most[0] <= 8


def test_the_failure_of_the_first_block_is_the_one_that_comes_back(eager):
    taken = []

    def work(start, scratch):
        if start == 2 * BLOCK:
            time.sleep(0.05)
        if start >= 2 * BLOCK:
            raise ValueError(start)
        return start

    with pytest.raises(ValueError, match=f"^{2 * BLOCK}$"):
        go_through(
            BLOCKS * BLOCK, work, lambda start, _: taken.append(start), block=BLOCK, threads=4
        )
    assert taken == [0, BLOCK]


def test_what_fails_to_be_taken_ends_all_threads(eager):
    taken = []

    def take(start, result):
        taken.append(start)
        raise ValueError(start)

    with pytest.raises(ValueError, match=r"^0$"):
        go_through(BLOCKS * BLOCK, lambda start, scratch: start, take, block=BLOCK, threads=4)
    assert taken == [0]


def test_numpy_does_not_warn_on_other_threads(eager, recwarn):
    x = np.where(np.arange(BLOCKS * BLOCK) % 2, 1e300, -1e300)
    # Begin such that the others are squared as they are.
    x[:BLOCK] = np.random.default_rng(8).normal(size=BLOCK)
    assert moments(x, threads=3)[1] == np.inf
    assert found_in(x, threads=3) == []
    assert not recwarn.list


@pytest.mark.parametrize("threads", [0, -1, -(10**30)])
def test_fewer_threads_than_one_are_refused(threads):
    for function in (found_in, moments, detect, allocating):
        with pytest.raises(ValueError, match="threads must be one or more, not"):
            function(np.zeros(3), threads=threads)


@pytest.mark.parametrize("threads", ["2", 1.0, None, [2]])
def test_threads_that_are_no_integer_are_refused(threads):
    for function in (found_in, moments, detect, allocating):
        with pytest.raises(
            TypeError, match=f"threads must be an integer, not {type(threads).__name__}"
        ):
            function(np.zeros(3), threads=threads)


@pytest.mark.parametrize("threads", [np.int64(2), True, 10**30])
def test_any_integer_is_accepted(threads):
    assert found_in(np.array([0] * 9 + [5]), threads=threads) == [9]
