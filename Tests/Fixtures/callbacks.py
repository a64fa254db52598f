"""Calls of functions that are Swift's."""

import threading

kept: list = []


def apply(function, *arguments):
    return function(*arguments)


def repeat(function, count: int) -> None:
    for _ in range(count):
        function()


def message_of(function) -> str:
    try:
        function()
    except RuntimeError as error:
        return f"RuntimeError: {error}"
    return "nothing was raised"


def raise_from(function) -> None:
    try:
        function()
    except RuntimeError as error:
        raise ValueError("instead") from error


def call_while_a_thread_calls(waiting, signalling) -> None:
    """Call a function that returns only when another thread has called the other."""
    thread = threading.Timer(0.05, signalling)
    thread.start()
    waiting()
    thread.join()


def keep(function) -> None:
    kept.append(function)


def call_kept() -> None:
    for function in kept:
        function()


def drop() -> None:
    kept.clear()


def raises_the_same(source: str, function) -> bool:
    """Whether a function raises what evaluating source raises: of the same class, with the same arguments."""
    try:
        eval(source)
    except Exception as error:
        expected = error
    try:
        function()
    except type(expected) as error:
        return type(error) is type(expected) and error.args == expected.args
    return False


def fail_with_length(first, second) -> None:
    raise ValueError(len(first) + len(second))
