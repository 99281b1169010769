"""What is kept of a key: whose it is, for which body, and what was answered."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from fintech_core import clock
from fintech_core.exceptions import DomainError
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import PendingRow, PreparedInsert, PreparedRead
from fintech_core.retention import delete_in_batches

KEPT_FOR = timedelta(days=30)
FORGET_BATCH = 1_000
FORGET_BATCHES = 1_000
_RECORD = PreparedRead(
    lambda user_id, operation, key: IdempotencyRecord.objects.filter(
        user_id=user_id, operation=operation, key=key
    ),
    user_id=UUID(int=1),
    operation="an operation",
    key="a key",
)
_NEW_RECORD = PreparedInsert(
    IdempotencyRecord, "user_id", "operation", "key", "fingerprint", "document_kind", "document_id", "response_status",
    "response_body", "created_at",
)  # fmt: skip


class KeyReused(DomainError):
    """The key was used before with another body."""

    code, status, title = "idempotency_key_reused", 422, "This Idempotency-Key belongs to another request"


class InProgress(DomainError):
    """A request with this key is running at this moment."""

    code, status, title = "idempotency_in_progress", 409, "A request with this key is still running"
    retryable = True


class OutcomeUnknown(DomainError):
    """The database was lost at COMMIT and cannot be asked: the client repeats with the same key."""

    code, status, title = "outcome_unknown", 503, "The outcome is not known yet; repeat with the same key"
    retryable = True


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose key, for which operation, over which body. Two routes to one operation share a scope."""

    user_id: UUID
    operation: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, *, user_id: UUID, operation: str, key: str, body: Mapping[str, Any]) -> "Scope":
        """Build the scope of a request; ``body`` is the cleaned body, from which the PIN is left out."""
        cleaned = {name: value for name, value in body.items() if name not in {"pin", "step_up_token"}}
        canonical = json.dumps(
            [operation, cleaned], cls=DjangoJSONEncoder, sort_keys=True, separators=(",", ":")
        )
        return cls(user_id, operation, key, hashlib.sha256(canonical.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. ``document`` names what to look at again while the answer is not final."""

    status: int
    body: Mapping[str, Any]
    is_final: bool = True
    document: tuple[str, UUID] | None = None
    replayed: bool = False


Renderer = Callable[[UUID], Answer]
_renderers: dict[str, Renderer] = {}


def register_document(kind: str, render: Renderer) -> None:
    """Say how a document of this kind answers a replay; apps call it in ``ready()``."""
    _renderers[kind] = render


def find(scope: Scope) -> Answer | None:
    """Return the answer of an earlier request with this key, or None.

    Raises KeyReused when the key was used with another body. A document that has become final is stored as the
    answer for good.
    """
    return replay(prefetch_record(scope).first(), scope)


def prefetch_record(scope: Scope) -> PendingRow[IdempotencyRecord]:
    """Queue the read of a key's record."""
    return _RECORD.queue(user_id=scope.user_id, operation=scope.operation, key=scope.key)


def replay(record: IdempotencyRecord | None, scope: Scope) -> Answer | None:
    """Return what a record answers, or None without one. Raises KeyReused for another body."""
    if record is None:
        return None
    if record.fingerprint != scope.fingerprint:
        raise KeyReused("Use a new Idempotency-Key for a new request; this one was sent with another body.")
    if record.response_status is not None:
        return Answer(record.response_status, json.loads(record.response_body or "{}"), replayed=True)
    if record.document_id is None:
        raise OutcomeUnknown
    answer = _renderers[record.document_kind](record.document_id)
    if answer.is_final:
        IdempotencyRecord.objects.filter(pk=record.pk, response_status=None).update(
            response_status=answer.status, response_body=_dumps(answer.body)
        )
    return Answer(answer.status, answer.body, answer.is_final, answer.document, replayed=True)


def store(scope: Scope, answer: Answer) -> None:
    """Queue the write of a key's answer."""
    kind, document_id = answer.document or ("", None)
    _NEW_RECORD.queue(
        user_id=scope.user_id,
        operation=scope.operation,
        key=scope.key,
        fingerprint=scope.fingerprint,
        document_kind=kind,
        document_id=document_id,
        response_status=answer.status if answer.is_final else None,
        response_body=_dumps(answer.body) if answer.is_final else None,
        created_at=clock.now(),
    )


def forget_expired(*, now: datetime) -> int:
    """Delete records older than ``KEPT_FOR`` and return how many; in batches, each a short transaction."""
    expired = IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")
    return delete_in_batches(expired, batch=FORGET_BATCH, batches=FORGET_BATCHES)


def _dumps(body: Mapping[str, Any]) -> str:
    return json.dumps(body, cls=DjangoJSONEncoder, ensure_ascii=False)
