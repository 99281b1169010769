"""Transactions as Paystack keeps them: made by initialize, changed by what the customer does on the page."""

import enum
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from sandbox.book import Db, Row
from sandbox.clock import iso_us
from sandbox.paystack import money


class Outcome(enum.StrEnum):
    """What the customer can do on the checkout page."""

    SUCCESS = "success"
    LESS = "less"  # pays one naira instead of the amount asked
    WRONG_CURRENCY = "wrong_currency"  # pays the right number of something else
    DECLINED = "declined"
    ABANDONED = "abandoned"


class AlreadyPaid(Exception):
    """A Paystack reference is paid once; only a new reference takes a second payment."""


@dataclass(frozen=True)
class NewTransaction:
    """A checked initialize request. `amount` in the smallest unit of `currency`."""

    reference: str
    secret_key: str
    email: str
    amount: int
    currency: str
    channel: str
    callback_url: str | None
    metadata: object
    ip_address: str


def create(db: Db, new: NewTransaction, now: datetime) -> str:
    """Store a transaction nobody has paid yet and give its access code.

    Paystack calls it *abandoned* until the customer acts. Raises `sqlite3.IntegrityError` when the reference
    is taken. Ids are microseconds of the machine's clock: 64-bit, and a new book never repeats an old one's.
    """
    access_code = secrets.token_hex(8)[:15]
    highest = db.execute("SELECT coalesce(max(id), 0) AS id FROM paystack_transactions").fetchone()["id"]
    db.execute(
        "INSERT INTO paystack_transactions (id, reference, access_code, secret_key, email, amount,"
        " requested_amount, currency, status, gateway_response, channel, callback_url, metadata, ip_address,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'abandoned', ?, ?, ?, ?, ?, ?)",
        (
            max(highest + 1, time.time_ns() // 1000),
            new.reference,
            access_code,
            new.secret_key,
            new.email,
            new.amount,
            new.amount,
            new.currency,
            "The transaction was not completed",
            new.channel,
            new.callback_url,
            json.dumps(new.metadata),
            new.ip_address,
            iso_us(now),
        ),
    )
    return access_code


def find_by_reference(db: Db, reference: str) -> Row | None:
    """Find a transaction by the merchant's reference."""
    return _one(db, "SELECT * FROM paystack_transactions WHERE reference = ?", reference)


def find_by_access_code(db: Db, access_code: str) -> Row | None:
    """Find a transaction by the code in its checkout address."""
    return _one(db, "SELECT * FROM paystack_transactions WHERE access_code = ?", access_code)


def act(
    db: Db,
    row: Row,
    outcome: Outcome,
    *,
    now: datetime,
    amount: int | None = None,
    currency: str | None = None,
) -> Row:
    """Do what the customer does and give the transaction as it stands then.

    `amount` and `currency` override what is charged. A declined or abandoned checkout can still be paid
    later, a paid one raises `AlreadyPaid`. A charge above the amount asked means that the customer bore
    the fee.
    """
    if row["status"] == "success":
        raise AlreadyPaid(row["reference"])
    if outcome is Outcome.DECLINED:
        _close(db, row, "failed", "Declined")
    elif outcome is Outcome.ABANDONED:
        _close(db, row, "abandoned", "The transaction was not completed")
    else:
        _charge(db, row, outcome, now=now, amount=amount, currency=currency)
    changed = find_by_reference(db, row["reference"])
    if changed is None:
        raise LookupError(row["reference"])
    return changed


def _close(db: Db, row: Row, status: str, gateway_response: str) -> None:
    db.execute(
        "UPDATE paystack_transactions SET status = ?, gateway_response = ?, attempts = attempts + 1"
        " WHERE id = ?",
        (status, gateway_response, row["id"]),
    )


def _charge(
    db: Db, row: Row, outcome: Outcome, *, now: datetime, amount: int | None, currency: str | None
) -> None:
    asked: int = row["requested_amount"]
    charged = amount or (money.ONE_NAIRA if outcome is Outcome.LESS else asked)
    paid_in = money.other_currency(row["currency"]) if outcome is Outcome.WRONG_CURRENCY else row["currency"]
    fees = charged - asked if charged > asked else money.fee(charged)
    db.execute(
        "UPDATE paystack_transactions SET status = 'success', gateway_response = 'Successful', amount = ?,"
        " currency = ?, fees = ?, paid_at = ?, attempts = attempts + 1, payments = payments + 1 WHERE id = ?",
        (charged, currency or paid_in, fees, iso_us(now), row["id"]),
    )


def _one(db: Db, sql: str, value: str) -> Row | None:
    found: Row | None = db.execute(sql, (value,)).fetchone()
    return found
