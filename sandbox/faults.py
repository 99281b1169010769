"""Rules that make a vendor misbehave: which vendor, which operation, how, how often.

`*_before` means that nothing was stored when the fault shows; `*_after` means that the vendor did the thing,
the book has it committed, and only then the answer goes wrong. `reset`, `garbage`, `truncated` and `latency`
spoil the answer of a thing that was done.
"""

import enum
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sandbox.book import Book, Db, Row


class FaultKind(enum.StrEnum):
    """Every way a vendor can misbehave here."""

    LATENCY = "latency"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    RESET = "reset"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    FLOAT_EMPTY = "float_empty"
    WEBHOOK_DROP = "webhook_drop"
    WEBHOOK_DELAY = "webhook_delay"
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_REORDER = "webhook_reorder"
    WEBHOOK_BEFORE_ANSWER = "webhook_before_answer"
    WEBHOOK_BAD_SIGNATURE = "webhook_bad_signature"


REFUSALS = frozenset(
    {FaultKind.ERROR_BEFORE, FaultKind.RATE_LIMITED, FaultKind.UNAUTHORIZED, FaultKind.FLOAT_EMPTY}
)
BEFORE = REFUSALS | {FaultKind.TIMEOUT_BEFORE}
AFTER = frozenset(
    {
        FaultKind.LATENCY,
        FaultKind.TIMEOUT_AFTER,
        FaultKind.ERROR_AFTER,
        FaultKind.RESET,
        FaultKind.GARBAGE,
        FaultKind.TRUNCATED,
    }
)
ANSWER_FAULTS = BEFORE | AFTER
WEBHOOK_FAULTS = frozenset(FaultKind) - ANSWER_FAULTS

WEBHOOK_OPERATION = "webhook"


@dataclass(frozen=True)
class Fault:
    """A rule that fires now."""

    kind: FaultKind
    seconds: float | None


class Faults:
    """The rules of the book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def add(
        self,
        *,
        vendor: str,
        operation: str,
        kind: FaultKind,
        times: int | None,
        probability: float,
        seed: int,
        match: Mapping[str, str],
        seconds: float | None,
    ) -> int:
        """Store a rule and give its id. `times` None fires until cleared."""
        with self._book.transaction() as db:
            cursor = db.execute(
                "INSERT INTO faults (vendor, operation, kind, times, probability, seed, match, seconds)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (vendor, operation, kind, times, probability, seed, json.dumps(dict(match)), seconds),
            )
        return int(cursor.lastrowid or 0)

    def clear(self) -> None:
        """Take all rules away."""
        with self._book.transaction() as db:
            db.execute("DELETE FROM faults")

    def take(
        self, *, vendor: str, operation: str, fields: Mapping[str, object], kinds: Collection[FaultKind]
    ) -> Fault | None:
        """Fire the oldest rule that applies to this call, if any, and count it."""
        if not self._book.row("SELECT 1 FROM faults WHERE vendor = ? AND operation = ?", (vendor, operation)):
            return None
        with self._book.transaction() as db:
            fired = self.take_all(
                db, vendor=vendor, operation=operation, fields=fields, kinds=kinds, at_most=1
            )
        return fired[0] if fired else None

    def take_all(
        self,
        db: Db,
        *,
        vendor: str,
        operation: str,
        fields: Mapping[str, object],
        kinds: Collection[FaultKind],
        at_most: int | None = None,
    ) -> list[Fault]:
        """Fire every rule that applies, oldest first, inside the caller's transaction."""
        fired: list[Fault] = []
        rows = db.execute(
            "SELECT * FROM faults WHERE vendor = ? AND operation = ? ORDER BY id", (vendor, operation)
        )
        for row in rows.fetchall():
            kind = FaultKind(row["kind"])
            if at_most is not None and len(fired) >= at_most:
                break
            if kind not in kinds or _spent(row) or not _matches(row, fields):
                continue
            fires = _draw(row) < row["probability"]
            db.execute(
                "UPDATE faults SET seen = seen + 1, fired = fired + ? WHERE id = ?", (int(fires), row["id"])
            )
            if fires:
                fired.append(Fault(kind=kind, seconds=row["seconds"]))
        return fired


def _spent(row: Row) -> bool:
    return row["times"] is not None and row["fired"] >= row["times"]


def _matches(row: Row, fields: Mapping[str, object]) -> bool:
    wanted: dict[str, str] = json.loads(row["match"])
    return all(part in str(fields.get(name, "")) for name, part in wanted.items())


def _draw(row: Row) -> float:
    """Draw in [0, 1): the n-th call that a rule sees gets the same number for the same seed, always."""
    digest = hashlib.sha256(f"{row['seed']}:{row['seen']}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
