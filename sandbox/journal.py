"""A bounded record of what the vendors were asked and how it was answered, without secrets."""

import json
from typing import Final
from urllib.parse import urlencode

from sandbox.book import Book
from sandbox.clock import Clock, iso_us
from sandbox.exchange import Answer, Ending, Request, Unreadable
from sandbox.faults import FaultKind
from sandbox.redaction import redacted, redacted_headers, without_keys

KEPT_REQUESTS: Final = 5000
_TRIM_EVERY: Final = 100


class Journal:
    """Writes into the book's `requests`."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def note(
        self, request: Request, answer: Answer, *, vendor: str, operation: str, fault: FaultKind | None
    ) -> None:
        """Record one exchange. `status` is null when no whole answer goes out."""
        path = without_keys(f"{request.path}?{urlencode(request.query)}" if request.query else request.path)
        with self._book.transaction() as db:
            cursor = db.execute(
                "INSERT INTO requests (at, vendor, operation, method, path, headers, body, status, fault)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    iso_us(self._clock.now()),
                    vendor,
                    operation,
                    request.method,
                    path,
                    json.dumps(redacted_headers(request.headers)),
                    _body_for_people(request),
                    answer.status if answer.ending is Ending.SEND else None,
                    fault,
                ),
            )
            number = int(cursor.lastrowid or 0)
            if number % _TRIM_EVERY == 0:
                db.execute("DELETE FROM requests WHERE id <= ?", (number - KEPT_REQUESTS,))


def _body_for_people(request: Request) -> str:
    try:
        return json.dumps(redacted(request.fields()))
    except (Unreadable, RecursionError):
        return json.dumps(f"unreadable, {len(request.body)} bytes")
