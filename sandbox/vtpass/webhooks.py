"""VTpass's webhooks: unsigned, and taken as received only by the answer `{"response": "success"}`."""

import json

from sandbox.book import Row
from sandbox.deliveries import DeliveryPolicy, Event
from sandbox.vtpass import shapes
from sandbox.vtpass.catalogue import Service

NAME = "vtpass"


def policy() -> DeliveryPolicy:
    """Try five times in all; the times between are ours, VTpass names none."""
    return DeliveryPolicy(retry_after_s=(1.0, 3.0, 10.0, 60.0), is_received=lambda _, body: _is_receipt(body))


def transaction_update(row: Row, service: Service) -> Event:
    """Make the event for an order that was resolved or reversed."""
    body = json.dumps(shapes.transaction_update(row, service), separators=(",", ":")).encode()
    fields = {
        "request_id": row["request_id"],
        "serviceID": row["service_id"],
        "billersCode": row["billers_code"],
        "status": row["status"],
    }
    return Event(
        vendor=NAME,
        name="transaction-update",
        subject=row["request_id"],
        body=body,
        headers={},
        badly_signed_headers={},
        fields=fields,
    )


def _is_receipt(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("response") == "success"
