"""Paystack's webhooks: which family an event belongs to, and how its repeats are recognised.

Paystack sends no event id. A key of event and reference would lose real events, since several families carry no
reference and two equal partial refunds have identical bodies; so the key is built per family. Dropping a repeat
only saves work: the ledger's own unique key is what keeps a payment from being credited twice.
"""

import hashlib
from datetime import datetime
from typing import Any, Final

from rest_framework.exceptions import APIException

from fintech_core import parsing
from payments.providers.base import ParsedWebhook

UNREADABLE: Final = "unreadable"
_MAX_PART: Final = 60


def parse(raw: bytes, *, received_at: datetime) -> ParsedWebhook:
    """Name an event; bytes that are no event become the family ``unreadable``, kept for a person."""
    digest = hashlib.sha256(raw).hexdigest()
    try:
        document = parsing.loads(raw)
    except APIException:
        return ParsedWebhook(UNREADABLE, UNREADABLE, "", f"{UNREADABLE}:{digest}")
    name = document.get("event") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name or not name.isprintable():
        return ParsedWebhook(UNREADABLE, UNREADABLE, "", f"{UNREADABLE}:{digest}")
    data = document.get("data")
    facts: dict[str, Any] = data if isinstance(data, dict) else {}
    family = "dispute" if name.startswith("charge.dispute.") else name.partition(".")[0][:40]
    key = _dedupe_key(name, facts, digest, received_at)
    return ParsedWebhook(family, name[:80], _part(facts, "reference")[:120], key[:200])


def _dedupe_key(name: str, facts: dict[str, Any], digest: str, received_at: datetime) -> str:
    """Build the key of one event."""
    parts: tuple[str, ...] = (digest,)
    if name.startswith("charge.dispute."):
        parts = (_part(facts, "id"), _part(facts, "updated_at") or _part(facts, "updatedAt"))
    elif name.startswith("charge."):
        parts = (_part(facts, "id"),)
    elif name.startswith("transfer."):
        parts = (_part(facts, "transfer_code"),)
    elif name.startswith(("dedicatedaccount.assign.", "customeridentification.")):
        parts = (_part(facts, "customer_code"), digest)
    elif name.startswith("refund."):
        return f"{name[:80]}:{digest}:{received_at:%Y%m%d%H}"
    return ":".join((name[:80], *parts)) if parts[0] else f"{name[:80]}:{digest}"


def _part(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value)[:_MAX_PART]
    return text if text.isprintable() else ""
