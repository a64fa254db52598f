"""What runs while Python is stopped. No numpy, so that Python can start again."""

import ctypes
import sys
import threading
import time


def nap() -> str:
    time.sleep(0.2)
    return "rested"


def hold(function):
    return function()


def spin(begun) -> None:
    begun()
    while True:
        pass


def add_up(begun) -> int:
    begun()
    return sum(range(10**10))


def sleep_in_c(begun, keeps_gil: bool) -> None:
    begun()
    library = ctypes.PyDLL(None) if keeps_gil else ctypes.CDLL(None)
    library.sleep(60)


def on_daemon(function) -> None:
    threading.Thread(target=function, daemon=True).start()


def on_thread(function) -> str:
    """What came of the function on a thread of Python's own, which has ended."""
    outcomes = []

    def run() -> None:
        try:
            outcomes.append(repr(function()))
        except BaseException as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcomes[0]


def leave_to_thread(function) -> None:
    """Let the function raise on a thread of Python's own, which ends by that."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


unraised: list = []
threading.excepthook = lambda arguments: unraised.append(arguments.exc_type.__name__)


def names_unraised() -> list:
    return unraised


def thread_count() -> int:
    return len(sys._current_frames())


def fatal_error() -> None:
    ctypes.pythonapi.Py_FatalError(b"the fixture asked for it")
