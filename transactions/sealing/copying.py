"""A copy of the journal as NDJSON (one JSON object a line): its lines are the canonical bytes that the seals are over.

First a header, then for each seal the lines of its range and the seal itself, then what is complete and not sealed yet,
and at last a footer with the number of lines before it and their hash, so that a copy that was cut off shows.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from fintech_core import clock
from transactions.models import LedgerSeal
from transactions.sealing import canonical
from transactions.sealing.chain import Cut, complete_until, facts_of
from transactions.sealing.reading import Range, Tally, lines

SNAPSHOT: Final = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)


@dataclass(slots=True)
class Copy:
    """What was written."""

    lines: int = 0
    entries: int = 0
    seals: int = 0


def export(out: BinaryIO) -> Copy:
    """Write everything that is complete, as one snapshot sees it, page by page. Raises WatermarkStalled, OSError."""
    cut = complete_until()
    copy, digest = Copy(), hashlib.sha256()
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in SNAPSHOT:
            cursor.execute(statement)
        for line in _lines(cursor, cut, copy):
            digest.update(line)
            out.write(line)
            copy.lines += 1
    out.write(_json({"fact": "footer", "lines": copy.lines, "digest": digest.hexdigest()}))
    out.flush()
    return copy


def seal_line(seal: LedgerSeal) -> bytes:
    """Return a seal's line in a copy: its canonical facts, its hash and its mac."""
    return _json(json.loads(facts_of(seal)) | {"chain": seal.chain, "mac": seal.mac})


def _lines(cursor: CursorWrapper, cut: Cut, copy: Copy) -> Iterator[bytes]:
    yield _json(
        {
            "fact": "header",
            "format": canonical.FORMAT,
            "exported_at": clock.rfc3339(clock.now()),
            "through_entry": cut.entry,
            "through_hold": cut.hold,
        }
    )
    entry, hold, tally = 0, 0, Tally()
    for seal in LedgerSeal.objects.order_by("number"):
        if seal.through_entry > cut.entry or seal.through_hold > cut.hold:
            break  # made after the cut was read; its rows follow unsealed
        yield from lines(cursor, Range(entry, seal.through_entry, hold, seal.through_hold), tally)
        yield seal_line(seal)
        entry, hold = seal.through_entry, seal.through_hold
        copy.seals += 1
    yield from lines(cursor, Range(entry, cut.entry, hold, cut.hold), tally)
    copy.entries = tally.entries


def _json(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
