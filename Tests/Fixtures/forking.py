"""Processes that Python forks."""

import multiprocessing


def work(number: int) -> None:
    assert sum(range(number)) == number * (number - 1) // 2


def codes_of_workers() -> list:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    return [worker.exitcode for worker in workers]
