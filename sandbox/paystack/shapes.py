"""A transaction as Paystack writes it: `""`, `0`, `{}` and null where one would expect null."""

import hashlib
import json

from sandbox.book import Row
from sandbox.clock import from_iso, iso_ms

_CARD = {
    "bin": "408408",
    "last4": "4081",
    "exp_month": "12",
    "exp_year": "2030",
    "channel": "card",
    "card_type": "visa ",
    "bank": "TEST BANK",
    "country_code": "NG",
    "brand": "visa",
    "reusable": True,
}


def verified(row: Row) -> dict[str, object]:
    """Shape `data` of the verify answer."""
    return {
        **_core(row),
        "metadata": _metadata(row, nothing=""),
        "fees_breakdown": None,
        "connect": None,
        "transaction_date": _ms(row["created_at"]),
        "plan_object": {},
        "subaccount": {},
        "order_id": None,
        "pos_transaction_data": None,
        "source": None,
        "plan": None,
        "split": {},
    }


def listed(row: Row) -> dict[str, object]:
    """Shape one item of the transaction list."""
    return {**verified(row), "metadata": _metadata(row, nothing=None), "plan": {}}


def charged(row: Row) -> dict[str, object]:
    """Shape `data` of the `charge.success` event."""
    return {
        **_core(row),
        "metadata": _metadata(row, nothing=0),
        "plan": {},
        "subaccount": {},
        "split": {},
        "order_id": None,
        "pos_transaction_data": None,
        "source": {
            "type": "api",
            "source": "merchant_api",
            "entry_point": "transaction_initialize",
            "identifier": None,
        },
    }


def _core(row: Row) -> dict[str, object]:
    is_paid = row["status"] == "success"
    paid_at = _ms(row["paid_at"])
    return {
        "id": row["id"],
        "domain": "test",
        "status": row["status"],
        "reference": row["reference"],
        "receipt_number": None,
        "amount": row["amount"],
        "message": None,
        "gateway_response": row["gateway_response"],
        "paid_at": paid_at,
        "created_at": _ms(row["created_at"]),
        "channel": row["channel"],
        "currency": row["currency"],
        "ip_address": row["ip_address"],
        "log": _log(row) if row["attempts"] else None,
        "fees": row["fees"],
        "fees_split": None,
        "authorization": _authorization(row) if is_paid else {},
        "customer": _customer(row),
        "paidAt": paid_at,
        "createdAt": _ms(row["created_at"]),
        "requested_amount": row["requested_amount"],
    }


def _log(row: Row) -> dict[str, object]:
    is_paid = row["status"] == "success"
    ending = (
        {"type": "success", "message": "Successfully paid with card", "time": 4}
        if is_paid
        else {"type": "error", "message": f"Error: {row['gateway_response']}", "time": 4}
    )
    return {
        "start_time": int(from_iso(row["created_at"]).timestamp()),
        "time_spent": 4,
        "attempts": row["attempts"],
        "errors": row["attempts"] - row["payments"],
        "success": is_paid,
        "mobile": False,
        "input": [],
        "history": [{"type": "action", "message": "Attempted to pay with card", "time": 3}, ending],
    }


def _authorization(row: Row) -> dict[str, object]:
    mark = _mark(row["reference"])
    return {
        "authorization_code": f"AUTH_{mark[:10]}",
        **_CARD,
        "signature": f"SIG_{_mark(row['email'])[:20]}",
        "account_name": None,
    }


def _customer(row: Row) -> dict[str, object]:
    mark = _mark(row["email"].lower())
    return {
        "id": int(mark[:7], 16),
        "first_name": None,
        "last_name": None,
        "email": row["email"],
        "customer_code": f"CUS_{mark[:15]}",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
        "international_format_phone": None,
    }


def _metadata(row: Row, *, nothing: object) -> object:
    sent = json.loads(row["metadata"])
    return nothing if sent in (None, "", {}) else sent


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ms(text: str | None) -> str | None:
    return None if text is None else iso_ms(from_iso(text))
