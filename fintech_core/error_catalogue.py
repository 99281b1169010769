"""Every error code this API answers with, rendered from the classes that raise it."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from fintech_core.exceptions import API_CODES, RETRYABLE_STATUSES, DomainError


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code: its HTTP status, what it means, and whether the same request may be sent again."""

    code: str
    status: int
    title: str
    meaning: str
    retryable: bool


# Codes that no DomainError carries: what the framework, the parser and the sign-in tell.
_OTHERS = (
    ErrorCode("busy", 503, "Busy", "Another operation holds what this one needs; nothing was changed.", True),
    ErrorCode(
        "malformed_json", 400, "The body is no JSON", "The body is not JSON as RFC 8259 has it.", False
    ),
    ErrorCode("duplicate_key", 400, "A key stands twice", "One JSON object names a key twice.", False),
    ErrorCode("token_expired", 401, "The access token has expired", "Refresh it and send again.", False),
    ErrorCode("token_invalid", 401, "The access token is not valid", "Sign in again.", False),
    ErrorCode("session_revoked", 401, "The session was closed", "Sign in again.", False),
    ErrorCode("internal_error", 500, "Something went wrong here", "The fault is ours; it was logged.", False),
)


def catalogue() -> dict[str, ErrorCode]:
    """Return every known code, sorted by code."""
    found = {entry.code: entry for entry in _OTHERS}
    for error, (code, title) in API_CODES.items():
        meaning = _first_paragraph(error) or title
        found[code] = ErrorCode(
            code, error.status_code, title, meaning, error.status_code in RETRYABLE_STATUSES
        )
    for kind in _kinds(DomainError):
        retryable = kind.retryable or kind.status in RETRYABLE_STATUSES
        found[kind.code] = ErrorCode(kind.code, kind.status, kind.title, _first_paragraph(kind), retryable)
    return dict(sorted(found.items()))


def _kinds(base: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _first_paragraph(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())
