"""Webhooks on their way out: a queue in the book, sent by background threads.

A delivery that was under way when the process died is sent again after the restart, as a vendor would: at
least once, in no promised order.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import httpx2

from sandbox.book import Book, Db, Row
from sandbox.clock import Clock, from_iso, iso_us
from sandbox.faults import WEBHOOK_FAULTS, WEBHOOK_OPERATION, Fault, FaultKind, Faults
from sandbox.knobs import Knobs

logger = logging.getLogger("sandbox.deliveries")

WORKERS: Final = 4
IDLE_WAIT_S: Final = 30.0
DEFAULT_DELAY_S: Final = 30.0
KEPT_RESPONSE_CHARS: Final = 1000
_HEADERS: Final = {"Content-Type": "application/json", "X-Sandbox": "fintech-core"}


@dataclass(frozen=True)
class DeliveryPolicy:
    """How one vendor delivers: seconds before each retry, what it takes for a receipt, how long it waits."""

    retry_after_s: Sequence[float]
    is_received: Callable[[int, bytes], bool]
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Event:
    """One webhook before it is addressed. `fields` is what a fault rule may match on."""

    vendor: str
    name: str
    subject: str
    body: bytes
    headers: Mapping[str, str]
    badly_signed_headers: Mapping[str, str]
    fields: Mapping[str, object]


class Outbox:
    """Takes events inside the transaction that causes them and delivers them afterwards."""

    def __init__(
        self, book: Book, clock: Clock, knobs: Knobs, faults: Faults, policies: Mapping[str, DeliveryPolicy]
    ) -> None:
        self._book = book
        self._clock = clock
        self._knobs = knobs
        self._faults = faults
        self._policies = policies
        self._changed = threading.Condition()
        self._client = httpx2.Client(trust_env=False, follow_redirects=False)

    def enqueue(self, db: Db, event: Event, *, is_urgent: bool = False) -> list[int]:
        """Write the event into the book; give the ids that must be out before the answer leaves.

        The caller passes these to `flush` after its transaction.
        """
        fired = self._faults.take_all(
            db,
            vendor=event.vendor,
            operation=WEBHOOK_OPERATION,
            fields=event.fields,
            kinds=WEBHOOK_FAULTS,
        )
        kinds = {fault.kind for fault in fired}
        if FaultKind.WEBHOOK_BAD_SIGNATURE in kinds:
            event = replace(event, headers=event.badly_signed_headers)
        urgent = is_urgent or FaultKind.WEBHOOK_BEFORE_ANSWER in kinds
        copies = 2 if FaultKind.WEBHOOK_DUPLICATE in kinds else 1
        url = self._knobs.webhook_url(event.vendor) or ""
        if FaultKind.WEBHOOK_DROP in kinds:
            status = "dropped"
        elif not url:
            status = "unrouted"
        else:
            status = "sending" if urgent else "pending"
        ids = [self._insert(db, event, url, status, fired) for _ in range(copies)]
        return ids if status == "sending" else []

    def _insert(self, db: Db, event: Event, url: str, status: str, fired: Sequence[Fault]) -> int:
        now = self._clock.now()
        waits = any(fault.kind is FaultKind.WEBHOOK_REORDER for fault in fired)
        cursor = db.execute(
            "INSERT INTO deliveries (vendor, event, subject, url, headers, body, status, faults,"
            " waits_for_next, due_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.vendor,
                event.name,
                event.subject,
                url,
                json.dumps(dict(event.headers)),
                event.body,
                status,
                ",".join(fault.kind for fault in fired),
                int(waits),
                iso_us(now + timedelta(seconds=_delay_s(fired))),
                iso_us(now),
            ),
        )
        return int(cursor.lastrowid or 0)

    def flush(self, urgent: Sequence[int]) -> None:
        """Send the urgent deliveries now, in this thread, and wake the workers for the others."""
        for delivery_id in urgent:
            row = self._book.row("SELECT * FROM deliveries WHERE id = ?", (delivery_id,))
            if row is not None:
                self._send(row)
        self.wake()

    def wake(self) -> None:
        """Let the workers look at the queue, because it or the clock changed."""
        with self._changed:
            self._changed.notify_all()

    def resend(self, delivery_id: int) -> int | None:
        """Queue the same body and headers once more, to the URL of now; give the new id, None if unknown."""
        now = iso_us(self._clock.now())
        with self._book.transaction() as db:
            row = db.execute("SELECT * FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
            if row is None:
                return None
            cursor = db.execute(
                "INSERT INTO deliveries (vendor, event, subject, url, headers, body, status, faults, due_at,"
                " created_at) VALUES (?, ?, ?, ?, ?, ?, 'pending', 'resend', ?, ?)",
                (
                    row["vendor"],
                    row["event"],
                    row["subject"],
                    self._knobs.webhook_url(row["vendor"]) or row["url"],
                    row["headers"],
                    row["body"],
                    now,
                    now,
                ),
            )
        self.wake()
        return int(cursor.lastrowid or 0)

    def start(self) -> None:
        """Take up what an earlier run left and start the workers. They end with the process."""
        with self._book.transaction() as db:
            db.execute("UPDATE deliveries SET status = 'pending' WHERE status = 'sending'")
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"delivery-{number}", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                row = self._claim()
                if row is None:
                    self._changed.wait(self._seconds_to_next())
                    continue
            try:
                self._send(row)
            except Exception:
                logger.exception("delivery %s could not be handled", row["id"])

    def _claim(self) -> Row | None:
        now = iso_us(self._clock.now())
        with self._book.transaction() as db:
            row: Row | None = db.execute(
                "SELECT * FROM deliveries WHERE status = 'pending' AND due_at <= ?"
                " ORDER BY due_at, id LIMIT 1",
                (now,),
            ).fetchone()
            if row is not None:
                db.execute("UPDATE deliveries SET status = 'sending' WHERE id = ?", (row["id"],))
        return row

    def _seconds_to_next(self) -> float:
        row = self._book.row("SELECT min(due_at) AS due_at FROM deliveries WHERE status = 'pending'")
        if row is None or row["due_at"] is None:
            return IDLE_WAIT_S
        seconds = (from_iso(row["due_at"]) - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0), IDLE_WAIT_S)

    def _send(self, row: Row) -> None:
        policy = self._policies[row["vendor"]]
        headers = {**_HEADERS, **json.loads(row["headers"])}
        status: int | None = None
        body, problem = b"", None
        try:
            response = self._client.post(
                row["url"], content=row["body"], headers=headers, timeout=policy.timeout_s
            )
            status, body = response.status_code, response.content
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            problem = f"{type(error).__name__}: {error}"
        received = status is not None and policy.is_received(status, body)
        logger.info("delivery %s of %s %s: %s", row["id"], row["vendor"], row["event"], status or problem)
        self._note(row, policy, received=received, status=status, body=body, problem=problem)

    def _note(
        self,
        row: Row,
        policy: DeliveryPolicy,
        *,
        received: bool,
        status: int | None,
        body: bytes,
        problem: str | None,
    ) -> None:
        """Write down what came of an attempt and when the next one is due."""
        attempts, now = row["attempts"] + 1, self._clock.now()
        outcome, due_at = _next_step(policy, received=received, attempts=attempts, now=now)
        text = body.decode("utf-8", errors="replace")[:KEPT_RESPONSE_CHARS] if status is not None else None
        with self._book.transaction() as db:
            db.execute(
                "UPDATE deliveries SET status = ?, attempts = ?, due_at = ?, response_status = ?,"
                " response_body = ?, error = ?, waits_for_next = 0 WHERE id = ?",
                (outcome, attempts, iso_us(due_at), status, text, problem, row["id"]),
            )
            db.execute(
                "UPDATE deliveries SET due_at = ?, waits_for_next = 0"
                " WHERE waits_for_next = 1 AND status = 'pending' AND vendor = ? AND id < ?",
                (iso_us(now), row["vendor"], row["id"]),
            )
        self.wake()


def _next_step(
    policy: DeliveryPolicy, *, received: bool, attempts: int, now: datetime
) -> tuple[str, datetime]:
    if received:
        return "delivered", now
    if attempts > len(policy.retry_after_s):
        return "given_up", now
    return "pending", now + timedelta(seconds=policy.retry_after_s[attempts - 1])


def _delay_s(fired: Sequence[Fault]) -> float:
    """Seconds a delivery waits: a delayed one, and at the longest one that lets the next go first."""
    waiting = {FaultKind.WEBHOOK_DELAY, FaultKind.WEBHOOK_REORDER}
    delays = [
        DEFAULT_DELAY_S if fault.seconds is None else fault.seconds
        for fault in fired
        if fault.kind in waiting
    ]
    return sum(delays)
