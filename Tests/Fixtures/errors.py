"""Functions that fail, each in its own way."""


class SampleError(Exception):
    class Nested(Exception):
        pass


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def fail(message):
    raise ValueError(message)  # the line that the traceback shows


def fail_nested():
    raise SampleError.Nested("inner")


def fail_own():
    raise SampleError("own", 2)


def fail_unprintable():
    raise Unprintable("hidden")


def fail_from():
    try:
        fail("first")
    except ValueError as error:
        raise LookupError("second") from error


def fail_while_handling():
    try:
        fail("first")
    except ValueError:
        raise LookupError("second")


def fail_from_none():
    try:
        fail("first")
    except ValueError:
        raise LookupError("second") from None


def fail_in_a_circle():
    first, second = ValueError("first"), LookupError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def fail_by_itself():
    error = ValueError("self")
    error.__cause__ = error
    raise error


def fail_after(count: int):
    error = None
    for number in range(count):
        link = ValueError(str(number))
        link.__cause__ = error
        error = link
    raise error


def fail_as(name: str):
    raise getattr(__import__("builtins"), name)("as asked")


def fail_with_code(code):
    raise SystemExit(code)


def fail_deep():
    return fail_deep()


def fail_as_group():
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def fail_unraised_class():
    raise KeyboardInterrupt


def fail_bad_metadata():
    kind = type("Odd", (Exception,), {"__module__": 5})
    raise kind("odd")
