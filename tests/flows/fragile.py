"""A stack whose servers can be hurt one by one: PostgreSQL behind a wire, a Valkey for cache and broker each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from tests import grounds
from tests.databases import Databases
from tests.flows.valkeys import valkey
from tests.flows.wire import Wire
from tests.parts import Part
from tests.stack import Stack, free_ports

How = Literal["killed", "frozen"]
T = TypeVar("T")


@dataclass(frozen=True)
class Fragile:
    """The stack and what it stands on."""

    stack: Stack
    wire: Wire
    cache: Part
    broker: Part


@contextmanager
def start(databases: Databases, folder: Path) -> Iterator[Fragile]:
    """Run such a stack."""
    ports = free_ports(2)
    urls = [f"redis://127.0.0.1:{port}/0" for port in ports]
    with (
        valkey("cache", ports[0], folder / "cache") as cache,
        valkey("broker", ports[1], folder / "broker") as broker,
        grounds.shared(databases) as ground,
        Wire.to(ground.database_url) as wire,
        Stack.start(
            nullcontext(replace(ground, database_url=wire.url, redis_url=urls[0], broker_url=urls[1])), folder
        ) as stack,
    ):
        yield Fragile(stack, wire, cache, broker)


@contextmanager
def gone(server: Part, how: How) -> Iterator[None]:
    """Let a server be gone for a while: its port refuses, or it takes connections and says nothing."""
    if how == "frozen":
        server.freeze()
    else:
        server.kill()
    try:
        yield
    finally:
        if how == "frozen":
            server.thaw()
        else:
            server.start()


def within(limit_s: float, work: Callable[[], T]) -> T:
    """Do something and hold it to a time."""
    started = time.monotonic()
    result = work()
    assert time.monotonic() - started < limit_s, f"it took {time.monotonic() - started:.1f} s"
    return result
