"""A stand-in for an identity verifier. The wire format is the sandbox's own; no vendor is imitated.

A number beginning with 2 is approved, one with 1 rejected, any other needs a person. The number itself is
never written down: the book has a keyed hash of it.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from sandbox.book import Db, Row, set_meta
from sandbox.clock import iso_us
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, Unreadable, json_answer
from sandbox.faults import FaultKind
from sandbox.vendor import Route, Vendor

NAME: Final = "verifier"
_FIELDS: Final = (
    "reference",
    "document_type",
    "document_number",
    "date_of_birth",
    "first_name",
    "last_name",
)
_DOCUMENT_TYPES: Final = frozenset({"bvn", "nin"})
_NUMBER = re.compile(r"[0-9]{11}")
_REFERENCE = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_DECISIONS: Final = {
    "2": ("approved", "The document exists and the name and date of birth match."),
    "1": ("rejected", "The document does not belong to this name and date of birth."),
}
_REVIEW: Final = ("review", "The register gave no clear answer; a person has to look.")


class Verifier:
    """Decides once per reference and repeats the decision."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def check(self, request: Request) -> Answer:
        """POST /verifier/identity. The same reference with other data answers 409."""
        try:
            fields = request.fields()
        except Unreadable as error:
            return _error(400, "invalid_request", f"{error}.")
        problem = _problem(fields)
        if problem:
            return _error(400, "invalid_request", problem)
        values = {name: str(fields[name]) for name in _FIELDS}
        with self._sandbox.book.transaction() as db:
            salt = _salt(db)
            request_hash = _keyed_hash(salt, json.dumps(values, sort_keys=True))
            row = _find(db, values["reference"])
            if row is None:
                row = self._decide(db, values, salt, request_hash)
        if row["request_hash"] != request_hash:
            return _error(409, "reference_reused", "This reference was used for another check.")
        return json_answer(_result(row))

    def show(self, request: Request) -> Answer:
        """GET /verifier/identity/<reference>."""
        with self._sandbox.book.transaction() as db:
            row = _find(db, request.params["reference"])
        if row is None:
            return _error(404, "not_found", "There is no check with this reference.")
        return json_answer(_result(row))

    def _decide(self, db: Db, values: Mapping[str, str], salt: str, request_hash: str) -> Row:
        number = values["document_number"]
        status, reason = _DECISIONS.get(number[0], _REVIEW)
        db.execute(
            "INSERT INTO verifier_checks (reference, document_type, number_hash, request_hash, status,"
            " reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                values["reference"],
                values["document_type"],
                _keyed_hash(salt, number),
                request_hash,
                status,
                reason,
                iso_us(self._sandbox.clock.now()),
            ),
        )
        row = _find(db, values["reference"])
        if row is None:
            raise LookupError(values["reference"])
        return row


def verifier(sandbox: Sandbox) -> Vendor:
    """Build the vendor."""
    identity = Verifier(sandbox)
    return Vendor(
        name=NAME,
        prefix="/verifier",
        routes=(
            Route("POST", "/verifier/identity", "identity", identity.check),
            Route("GET", "/verifier/identity/{reference}", "identity", identity.show),
        ),
        authenticate=_authenticate,
        refusals=_refusals(),
        not_found=lambda request: _error(404, "not_found", f"Nothing at {request.path}."),
    )


def _problem(fields: Mapping[str, object]) -> str | None:
    for name in _FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"{name} is required and must be a text."
    if not _REFERENCE.fullmatch(str(fields["reference"])):
        return "reference may have letters, digits, - . and _ only."
    if fields["document_type"] not in _DOCUMENT_TYPES:
        return "document_type must be bvn or nin."
    if not _NUMBER.fullmatch(str(fields["document_number"])):
        return "document_number must have 11 digits."
    try:
        date.fromisoformat(str(fields["date_of_birth"]))
    except ValueError:
        return "date_of_birth must be a date, YYYY-MM-DD."
    return None


def _authenticate(request: Request) -> Answer | None:
    key = request.bearer().lower()
    if "live" in key:
        return _error(401, "live_key_refused", "This is the sandbox; it takes only test keys.")
    if "test" not in key:
        return _error(401, "invalid_key", "Send Authorization: Bearer <test key>.")
    return None


def _refusals() -> Mapping[FaultKind, Callable[[], Answer]]:
    return {
        FaultKind.ERROR_BEFORE: lambda: _error(500, "internal_error", "The verifier failed."),
        FaultKind.RATE_LIMITED: lambda: _error(
            429, "rate_limited", "Too many requests.", headers={"Retry-After": "30"}
        ),
        FaultKind.UNAUTHORIZED: lambda: _error(401, "invalid_key", "The key is not valid."),
        FaultKind.FLOAT_EMPTY: lambda: _error(402, "balance_empty", "The prepaid balance is used up."),
    }


def _find(db: Db, reference: str) -> Row | None:
    found: Row | None = db.execute(
        "SELECT * FROM verifier_checks WHERE reference = ?", (reference,)
    ).fetchone()
    return found


def _result(row: Row) -> dict[str, object]:
    return {"reference": row["reference"], "status": row["status"], "reason": row["reason"]}


def _salt(db: Db) -> str:
    found = db.execute("SELECT value FROM meta WHERE key = 'salt'").fetchone()
    if found is not None:
        return str(found["value"])
    salt = secrets.token_hex(32)
    set_meta(db, "salt", salt)
    return salt


def _keyed_hash(salt: str, text: str) -> str:
    return hmac.new(bytes.fromhex(salt), text.encode(), hashlib.sha256).hexdigest()


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return json_answer({"error": {"code": code, "message": message}}, status=status, headers=headers)
