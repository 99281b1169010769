"""Processes that die or wait at a named point, and what beat does about it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import httpx2

from fintech_core import clock
from tests.clients import eventually
from tests.parts import Part
from tests.stack import SWEEPS, Stack

SWEEP_EVERY_S = 0.5
PATIENCE_S = 45.0


def strike(stack: Stack, point: str, part: Part, deed: Callable[[], object]) -> None:
    """Do something in whose course the program kills itself at the point, and start it again.

    The deed may fail: that its program died is all that its client learns.
    """
    stack.arm(point)
    with suppress(httpx2.TransportError):
        deed()
    stack.wait_for_crash(point)
    part.wait_until_dead()
    stack.heal()


@contextmanager
def paused(stack: Stack, point: str) -> Iterator[Callable[[], None]]:
    """Let whoever comes by the point wait there until the end; yields what waits for somebody to arrive."""
    pause, reached = stack.crash_points / f"{point}.pause", stack.crash_points / f"{point}.reached"
    reached.unlink(missing_ok=True)
    pause.touch()
    try:
        yield lambda: eventually(reached.exists, f"somebody at {point}")
    finally:
        pause.unlink()


def sweep_once(stack: Stack) -> None:
    """Ring for every sweep and wait until each has run."""
    rung_at = clock.now()
    stack.sweep()
    eventually(lambda: _have_swept(stack, rung_at), "every sweep has run")


def back_at_work(stack: Stack) -> None:
    """Wait until the worker has run every sweep again after its broker was gone.

    A broker that thaws hands messages to connections that were given up meanwhile: with beat that costs a delay, here
    it would be the next test's only ring.
    """
    since = clock.now()
    swept(stack, lambda: _have_swept(stack, since), "the worker is back")


def _have_swept(stack: Stack, since: datetime) -> bool:
    sweeps = [name for name in SWEEPS if ".sweep_" in name]
    finished = "SELECT 1 FROM fintech_core_jobrun WHERE name = ANY(%s) AND finished_at > %s"
    return len(stack.sql(finished, sweeps, since)) == len(sweeps)


def swept(stack: Stack, is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Ring for every sweep again and again, as beat does, until something has happened; fails when it does not."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"swept {patience_s:.0f} s in vain: {what}"
        stack.sweep()
        time.sleep(SWEEP_EVERY_S)
