"""Published heads: lines of a file outside the database that say how far the chain had come, and with which hash.

Whoever cuts off the newest rows and their seals leaves a chain that holds, only shorter. A head that is kept elsewhere
(another machine, a versioned bucket, a newspaper) shows it. It is also all that somebody without the key needs to prove
a copy: its hash commits to every line that is sealed up to it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fintech_core import clock
from transactions.models import LedgerSeal


class NotAPublishedFile(ValueError):
    """A line of the file is no published head."""


@dataclass(frozen=True, slots=True)
class Head:
    """A link as it was published."""

    number: int
    chain: str
    mac: str
    key_id: str
    through_entry: int
    through_hold: int
    sealed_at: str

    @classmethod
    def of(cls, seal: LedgerSeal) -> "Head":
        """Describe a link."""
        return cls(
            seal.number, seal.chain, seal.mac, seal.key_id, seal.through_entry, seal.through_hold,
            clock.rfc3339(seal.sealed_at) or "",
        )  # fmt: skip


def publish(seal: LedgerSeal, file: Path) -> bool:
    """Add the head to the file unless it is its last line, safely on disk; say whether it was added.

    Raises OSError, NotAPublishedFile.
    """
    head = Head.of(seal)
    known = list(read(file)) if file.exists() else []
    if known and known[-1] == head:
        return False
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(head)) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return True


def read(file: Path) -> Iterator[Head]:
    """Yield the heads of a file, oldest first. Raises OSError, NotAPublishedFile."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                head = Head(**json.loads(line))
                if not (type(head.number) is int and type(head.chain) is str):
                    raise TypeError("a number and a hash are what a head is")
            except (ValueError, TypeError) as error:
                raise NotAPublishedFile(f"line {number} of {file} is no published head") from error
            yield head
