"""What every vendor module works with."""

from dataclasses import dataclass

from sandbox.book import Book
from sandbox.clock import Clock
from sandbox.deliveries import Outbox
from sandbox.faults import Faults
from sandbox.knobs import Knobs


@dataclass(frozen=True)
class Sandbox:
    """The shared parts. `public_url` is where a browser finds this process, without a trailing slash."""

    book: Book
    clock: Clock
    knobs: Knobs
    faults: Faults
    outbox: Outbox
    public_url: str
