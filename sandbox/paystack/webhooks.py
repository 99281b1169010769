"""Paystack's webhooks: signed over the raw bytes with the merchant's secret key.

Only success is pushed for charges; a `charge.failed` does not exist.
"""

import hashlib
import hmac
import json

from sandbox.book import Row
from sandbox.deliveries import DeliveryPolicy, Event
from sandbox.paystack import shapes

NAME = "paystack"
SIGNATURE_HEADER = "x-paystack-signature"
_HOURLY_FOR_TEN_HOURS = (3600.0,) * 10


def policy() -> DeliveryPolicy:
    """Take HTTP 200 for a receipt; retry soon three times (ours), then by the test mode's timetable."""
    return DeliveryPolicy(
        retry_after_s=(1.0, 3.0, 10.0, *_HOURLY_FOR_TEN_HOURS), is_received=lambda status, _: status == 200
    )


def sign(secret_key: str, body: bytes) -> str:
    """Give the lower-case hex HMAC-SHA512 of the body."""
    return hmac.new(secret_key.encode(), body, hashlib.sha512).hexdigest()


def charge_success(row: Row) -> Event:
    """Make the event for a paid transaction, signed with the key that initialised it."""
    document = {"event": "charge.success", "data": shapes.charged(row)}
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Event(
        vendor=NAME,
        name="charge.success",
        subject=row["reference"],
        body=body,
        headers={SIGNATURE_HEADER: sign(row["secret_key"], body)},
        badly_signed_headers={SIGNATURE_HEADER: sign("sk_test_of_somebody_else", body)},
        fields={"reference": row["reference"], "email": row["email"], "event": "charge.success"},
    )
