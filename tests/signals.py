"""Signals that come in the middle of a wait."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """What the handler of the signal raises, as a time limit or Ctrl-C would."""


@contextmanager
def interrupted(after_s: float) -> Iterator[None]:
    """Break off what the main thread does, so many seconds from now."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
