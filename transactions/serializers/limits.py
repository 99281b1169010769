"""What ``GET /limits`` answers, as a schema: its members are currencies."""

from typing import Any

_NULLABLE_AMOUNT = {"type": ["string", "null"], "example": "50000.00"}
_LIMIT = {
    "type": "object",
    "properties": {
        "limit": _NULLABLE_AMOUNT,
        "used": {"type": "string"},
        "remaining": _NULLABLE_AMOUNT,
        "resets_at": {"type": ["string", "null"], "format": "date-time"},
    },
    "required": ["limit", "used", "remaining", "resets_at"],
}
_LIMIT_NAMES = ("single", "daily", "monthly", "max_balance")
# Limits per currency code; null means that there is no limit.
LIMITS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": dict.fromkeys(_LIMIT_NAMES, _LIMIT),
        "required": list(_LIMIT_NAMES),
    },
}
