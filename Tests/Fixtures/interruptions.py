"""Calls that take their time."""

ignored = 0


def spin() -> None:
    while True:
        pass


def spin_with(first, second) -> None:
    view = memoryview(first)
    second[0] = len(view)
    spin()


def work(count: int) -> int:
    total = 0
    for number in range(count):
        total += number
    return total


def ignore_interruptions(times: int) -> None:
    global ignored
    ignored = 0
    while True:
        try:
            spin()
        except BaseException:
            if ignored == times:
                raise
            ignored += 1


def times_ignored() -> int:
    return ignored


def ignore_errors() -> None:
    while True:
        try:
            spin()
        except Exception:
            pass


def call_and_ignore_errors(function) -> None:
    try:
        function()
    except Exception:
        pass


def call_and_spin(function) -> None:
    function()
    spin()


class Endless:
    @property
    def spinning(self) -> None:
        spin()

    def __iter__(self):
        spin()
