"""VTpass's webhooks: unsigned, so they say no more than "ask about this order".

``{"type": "transaction-update", "data": {…, "requestId": "…"}}``; the order is named at several places, all of
which are read. The dedupe key is the whole body: VTpass sends no event id, and asking twice does no harm.
"""

import hashlib
from typing import Any, Final

from rest_framework.exceptions import APIException

from fintech_core import parsing
from payments.providers.base import ParsedWebhook

UNREADABLE: Final = "unreadable"
_NAMES: Final = ("requestId", "request_id")


def parse_hint(raw: bytes) -> ParsedWebhook:
    """Name the hint and the order it is about; never raises."""
    digest = hashlib.sha256(raw).hexdigest()
    try:
        document = parsing.loads(raw)
    except APIException:
        document = None
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind or not kind.isprintable():
        return ParsedWebhook(UNREADABLE, UNREADABLE, "", f"{UNREADABLE}:{digest}")
    data = document.get("data")
    subject = next((found for part in _parts(data) if (found := _request_id(part))), "")
    return ParsedWebhook(kind[:40], kind[:80], subject, f"{kind[:80]}:{digest}")


def _parts(data: object) -> list[dict[str, Any]]:
    """Return the objects in which VTpass has been seen to name an order."""
    if not isinstance(data, dict):
        return []
    content = data.get("content")
    inner = content.get("transactions") if isinstance(content, dict) else None
    return [part for part in (data, content, inner) if isinstance(part, dict)]


def _request_id(part: dict[str, Any]) -> str:
    for name in _NAMES:
        value = part.get(name)
        if isinstance(value, str) and value.isprintable():
            return value[:120]
    return ""
