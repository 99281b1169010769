"""The book as JSON, for people and tests. Keys and identity numbers are not in it."""

import json

from sandbox.book import Row
from sandbox.clock import iso_us
from sandbox.core import Sandbox
from sandbox.paystack import shapes
from sandbox.vtpass.shapes import naira

MOST_ROWS = 2000


def state(sandbox: Sandbox) -> dict[str, object]:
    """Everything the vendors know and how the sandbox is set."""
    book, clock, knobs = sandbox.book, sandbox.clock, sandbox.knobs
    return {
        "clock": {"now": iso_us(clock.now()), "offset_s": clock.offset_s},
        "settings": {
            "hold_s": knobs.hold_s,
            "vtpass_duplicate_rule": knobs.vtpass_duplicate_rule,
            "public_url": sandbox.public_url,
        },
        "webhooks": {vendor: knobs.webhook_url(vendor) for vendor in ("paystack", "vtpass")},
        "paystack": {
            "transactions": [
                {**shapes.listed(row), "access_code": row["access_code"], "payments": row["payments"]}
                for row in book.rows("SELECT * FROM paystack_transactions ORDER BY id")
            ]
        },
        "vtpass": {
            "float": naira(knobs.vtpass_float_kobo),
            "orders": [_order(row) for row in book.rows("SELECT * FROM vtpass_orders ORDER BY created_at")],
            "delivered": [_delivered(row) for row in book.rows(_DELIVERED)],
        },
        "verifier": {"checks": [dict(row) for row in book.rows(_CHECKS)]},
        "faults": faults(sandbox),
        "deliveries": {row["status"]: row["count"] for row in book.rows(_BY_STATUS)},
    }


def faults(sandbox: Sandbox) -> list[dict[str, object]]:
    """All rules with how often they applied and fired."""
    rows = sandbox.book.rows("SELECT * FROM faults ORDER BY id")
    return [{**dict(row), "match": json.loads(row["match"])} for row in rows]


def requests(sandbox: Sandbox, after_id: int) -> list[dict[str, object]]:
    """What the vendors were asked after the given id, oldest first."""
    rows = sandbox.book.rows("SELECT * FROM requests WHERE id > ? ORDER BY id LIMIT ?", (after_id, MOST_ROWS))
    return [
        {**dict(row), "headers": json.loads(row["headers"]), "body": json.loads(row["body"])} for row in rows
    ]


def deliveries(sandbox: Sandbox, after_id: int) -> list[dict[str, object]]:
    """Webhooks after the given id, oldest first."""
    rows = sandbox.book.rows(
        "SELECT * FROM deliveries WHERE id > ? ORDER BY id LIMIT ?", (after_id, MOST_ROWS)
    )
    return [delivery(row) for row in rows]


def delivery(row: Row) -> dict[str, object]:
    """One webhook with its exact body as text."""
    return {
        **dict(row),
        "headers": json.loads(row["headers"]),
        "body": bytes(row["body"]).decode("utf-8"),
        "faults": row["faults"].split(",") if row["faults"] else [],
        "waits_for_next": bool(row["waits_for_next"]),
    }


_DELIVERED = (
    "SELECT service_id, billers_code, amount_kobo, sum(delivered) AS times FROM vtpass_orders"
    " WHERE delivered > 0 GROUP BY service_id, billers_code, amount_kobo ORDER BY 1, 2, 3"
)
_CHECKS = (
    "SELECT reference, document_type, number_hash, status, reason, created_at FROM verifier_checks ORDER BY 1"
)
_BY_STATUS = "SELECT status, count(*) AS count FROM deliveries GROUP BY status ORDER BY status"


def _order(row: Row) -> dict[str, object]:
    return {
        "request_id": row["request_id"],
        "transactionId": row["transaction_id"],
        "serviceID": row["service_id"],
        "variation_code": row["variation_code"],
        "billersCode": row["billers_code"],
        "phone": row["phone"],
        "amount": naira(row["amount_kobo"]),
        "total_amount": naira(row["amount_kobo"] - row["commission_kobo"]),
        "status": row["status"],
        "delivered": row["delivered"],
        "requeries": row["requeries"],
        "created_at": row["created_at"],
        "resolved_at": row["resolved_at"],
    }


def _delivered(row: Row) -> dict[str, object]:
    return {
        "serviceID": row["service_id"],
        "billersCode": row["billers_code"],
        "amount": naira(row["amount_kobo"]),
        "times": row["times"],
    }
