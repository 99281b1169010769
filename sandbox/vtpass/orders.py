"""Orders as VTpass keeps them, and the float they are paid from. Amounts in kobo."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sandbox.book import Db, Row, set_meta
from sandbox.clock import iso_us
from sandbox.vtpass.replies import Refused

DUPLICATE_WINDOW: Final = timedelta(seconds=30)
REQUERIES_TO_DELIVER: Final = 3


@dataclass(frozen=True)
class NewOrder:
    """A checked pay request."""

    request_id: str
    service_id: str
    variation_code: str | None
    billers_code: str
    phone: str
    amount_kobo: int
    commission_kobo: int


def find(db: Db, request_id: str) -> Row | None:
    """Find an order by the merchant's request id."""
    found: Row | None = db.execute(
        "SELECT * FROM vtpass_orders WHERE request_id = ?", (request_id,)
    ).fetchone()
    return found


def get(db: Db, request_id: str) -> Row:
    """Find an order that must be there."""
    found = find(db, request_id)
    if found is None:
        raise LookupError(request_id)
    return found


def refuse_likely_duplicate(db: Db, order: NewOrder, now: datetime) -> None:
    """Raise `Refused` 019 when the same thing was bought for the same customer within 30 seconds."""
    found = db.execute(
        "SELECT 1 FROM vtpass_orders WHERE service_id = ? AND billers_code = ? AND amount_kobo = ?"
        " AND created_at > ?",
        (order.service_id, order.billers_code, order.amount_kobo, iso_us(now - DUPLICATE_WINDOW)),
    ).fetchone()
    if found is not None:
        raise Refused("019")


def store(db: Db, order: NewOrder, *, status: str, float_kobo: int, now: datetime) -> Row:
    """Write an order down. Unless it failed its cost leaves the float; `Refused` 018 when that is short."""
    cost = order.amount_kobo - order.commission_kobo
    if status != "failed":
        if cost > float_kobo:
            raise Refused("018")
        set_meta(db, "vtpass_float_kobo", str(float_kobo - cost))
    db.execute(
        "INSERT INTO vtpass_orders (request_id, transaction_id, service_id, variation_code, billers_code,"
        " phone, amount_kobo, commission_kobo, status, delivered, created_at, resolved_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order.request_id,
            f"{time.time_ns() // 1000}{secrets.randbelow(10**10):010d}",
            order.service_id,
            order.variation_code,
            order.billers_code,
            order.phone,
            order.amount_kobo,
            order.commission_kobo,
            status,
            int(status == "delivered"),
            iso_us(now),
            None if status == "pending" else iso_us(now),
        ),
    )
    return get(db, order.request_id)


class WrongEnding(Exception):
    """An order cannot go from the status it has to the one it was to get."""


def resolve(db: Db, row: Row, status: str, *, float_kobo: int, now: datetime) -> Row:
    """Bring an order to its end: delivered counts a delivery, failed and reversed give its cost back.

    An order that has the status already stays as it is; any other change of an end but delivered → reversed
    raises `WrongEnding`.
    """
    if row["status"] == status:
        return row
    if row["status"] != "pending" and (row["status"], status) != ("delivered", "reversed"):
        raise WrongEnding(f"The order is {row['status']}; it cannot become {status}.")
    cost = row["amount_kobo"] - row["commission_kobo"]
    gives_back = status in {"failed", "reversed"}
    if gives_back:
        set_meta(db, "vtpass_float_kobo", str(float_kobo + cost))
    db.execute(
        "UPDATE vtpass_orders SET status = ?, delivered = delivered + ?, resolved_at = ?"
        " WHERE request_id = ?",
        (
            status,
            int(status == "delivered"),
            iso_us(now),
            row["request_id"],
        ),
    )
    return get(db, row["request_id"])


def count_requery(db: Db, row: Row) -> int:
    """Count one more requery of an order and give the number."""
    db.execute(
        "UPDATE vtpass_orders SET requeries = requeries + 1 WHERE request_id = ?", (row["request_id"],)
    )
    return int(row["requeries"]) + 1
