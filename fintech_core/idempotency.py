"""Idempotency keys: one effect and one answer for each key, whatever dies in between.

The record is written in the same transaction as the effect (T1), so either both exist or neither does:

* the process dies before COMMIT: nothing exists, the next try runs;
* it dies after COMMIT: the next try finds the record and answers from it or from the document it names;
* the answer of COMMIT is lost: the key is looked up on a new connection, and nothing is ever run twice blindly.

A busy key is told at once by ``pg_try_advisory_xact_lock`` instead of waiting for a row that cannot be seen yet.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, connection, transaction

from fintech_core import clock, crashpoints
from fintech_core.exceptions import DomainError, domain_problem
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import PreparedInsert, PreparedRead, Statement

LOOKUP_LIMIT_S = 2.0
LOOKUP_PAUSE_S = 0.1
TRANSACTION_ATTEMPTS = 3
TRY_LOCK = Statement("SELECT pg_try_advisory_xact_lock(%s)")
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})
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
    return _replay(_record(scope), scope)


def _record(scope: Scope) -> IdempotencyRecord | None:
    return _RECORD.first(user_id=scope.user_id, operation=scope.operation, key=scope.key)


def forget_expired(*, now: datetime) -> int:
    """Delete records older than ``KEPT_FOR`` and return how many; in batches, each a short transaction."""
    expired = IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")
    forgotten = 0
    for _ in range(FORGET_BATCHES):
        batch = IdempotencyRecord.objects.filter(pk__in=expired.values("pk")[:FORGET_BATCH])
        count, _ = batch.delete()
        forgotten += count
        if count < FORGET_BATCH:
            break
    return forgotten


def _replay(record: IdempotencyRecord | None, scope: Scope) -> Answer | None:
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


def run(scope: Scope, work: Callable[[], Answer], *, request_id: str | None = None) -> Answer:
    """Run ``work`` once for this key inside T1 and store its answer with its effect.

    ``work`` runs in a savepoint: a refusal by rule (DomainError with status 422) rolls it back and is itself the
    stored answer; any other error undoes everything, the claim too. Raises InProgress when the key is being used,
    KeyReused when it was used with another body, OutcomeUnknown when a lost COMMIT could not be looked up.
    """
    for attempt in range(1, TRANSACTION_ATTEMPTS + 1):
        try:
            return _run_once(scope, work, request_id)
        except OperationalError as error:
            sqlstate = getattr(error.__cause__, "sqlstate", None)
            if sqlstate in RETRYABLE_SQLSTATES and attempt < TRANSACTION_ATTEMPTS:
                time.sleep(0.02 * attempt)
                continue
            if not _connection_lost(sqlstate):
                raise
            return _after_lost_connection(scope, error)
        except InterfaceError as error:
            return _after_lost_connection(scope, error)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _run_once(scope: Scope, work: Callable[[], Answer], request_id: str | None) -> Answer:
    with transaction.atomic():
        earlier = _claim(scope)
        if earlier is not None:
            return earlier
        try:
            with transaction.atomic():
                answer = work()
        except DomainError as refusal:
            if refusal.status != 422:
                raise
            answer = Answer(refusal.status, domain_problem(refusal, request_id))
        _store(scope, answer)
        crashpoints.reach("idempotency.before_commit")
    crashpoints.reach("idempotency.after_commit")
    return answer


def _claim(scope: Scope) -> Answer | None:
    """Take the key's lock, outside any savepoint, then look again under it: two statements, said together.

    What is seen without the lock is not looked at.
    """
    lock = hashlib.sha256(f"{scope.user_id}|{scope.operation}|{scope.key}".encode()).digest()
    asked = TRY_LOCK.send([int.from_bytes(lock[:8], "big", signed=True)])
    record = _record(scope)
    answer = asked.row()
    if not answer or not answer[0]:
        raise InProgress(
            "The first request with this key has not finished. Repeat it shortly.", retry_after_s=1
        )
    return _replay(record, scope)


def _store(scope: Scope, answer: Answer) -> None:
    kind, document_id = answer.document or ("", None)
    _NEW_RECORD.send(
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


def _connection_lost(sqlstate: str | None) -> bool:
    """Say whether COMMIT may have succeeded unheard: the server said good-bye, or nothing at all.

    The connection itself cannot be asked: Django has opened a new one while it left the broken transaction.
    """
    return sqlstate is None or sqlstate.startswith(("57P", "08"))


def _after_lost_connection(scope: Scope, error: Exception) -> Answer:
    """Look the key up on a new connection: found is the answer, not found is the error, unreachable is unknown.

    While the old backend still holds the key's lock its COMMIT may yet succeed, so "not found" counts only once
    the lock is free.
    """
    connection.close()
    give_up = time.monotonic() + LOOKUP_LIMIT_S
    while time.monotonic() < give_up:
        try:
            with transaction.atomic():
                found = _claim(scope)
        except InProgress:
            time.sleep(LOOKUP_PAUSE_S)
            continue
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(LOOKUP_PAUSE_S)
            continue
        if found is not None:
            return found
        raise error
    raise OutcomeUnknown(retry_after_s=2) from error


def _dumps(body: Mapping[str, Any]) -> str:
    return json.dumps(body, cls=DjangoJSONEncoder, ensure_ascii=False)
