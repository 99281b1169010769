"""Requests that start together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
START_LIMIT_S = 30


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Run ``work(0)`` … ``work(count - 1)`` in threads that start together; results in order."""
    barrier = Barrier(count)

    def run(number: int) -> T:
        barrier.wait(START_LIMIT_S)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
