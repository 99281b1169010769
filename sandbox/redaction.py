"""Keeps keys and identity numbers out of the log and of what the control API shows."""

import re
from collections.abc import Mapping

HIDDEN = "[redacted]"

_SHOWN_HEADERS = frozenset({"content-type", "user-agent", "x-request-id", "accept", "idempotency-key"})
_SECRET_HEADERS = frozenset({"authorization", "api-key", "secret-key", "public-key"})
_SECRET_FIELDS = frozenset({"document_number", "bvn", "nin", "date_of_birth", "pin", "password"})
_KEY = re.compile(r"\b(?:sk|pk)_(?:test|live)_\w+|\b(?:SK|PK)_\w+|\bFLWSECK\w*-\w+")


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Keep the harmless headers, name the secret ones without their value, drop the rest."""
    shown = {name: value for name, value in headers.items() if name in _SHOWN_HEADERS}
    return shown | {name: HIDDEN for name in headers if name in _SECRET_HEADERS}


def redacted(value: object) -> object:
    """Copy a JSON value without secret fields and without anything that looks like a key."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if str(name).lower() in _SECRET_FIELDS else redacted(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    if isinstance(value, str):
        return without_keys(value)
    return value


def without_keys(text: str) -> str:
    """Replace anything in a text that looks like an API key."""
    return _KEY.sub(HIDDEN, text)
