"""T1: the claim of a key, the gate, the work, and the answer, which are one transaction."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from fintech_core import crashpoints
from fintech_core.exceptions import DomainError, domain_problem, sqlstate_of
from fintech_core.idempotency.records import (
    Answer,
    InProgress,
    OutcomeUnknown,
    Scope,
    prefetch_record,
    replay,
    store,
)
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import PendingResult, PendingRow, Statement

LOOKUP_LIMIT_S = 2.0
LOOKUP_PAUSE_S = 0.1
TRANSACTION_ATTEMPTS = 3
TRY_LOCK = Statement("SELECT pg_try_advisory_xact_lock(%s)")
REFUSED_BY_RULE = 422
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})

Prefetched = TypeVar("Prefetched")


@dataclass(frozen=True, slots=True)
class Written:
    """What a gate has written: it is committed before anybody is told, by ``refusal`` unless all is well now."""

    refusal: DomainError | None = None


class Gate(Protocol):
    """A question whose answer lets the work begin: a PIN."""

    def prefetch(self) -> None:
        """Queue the read of what is judged. It must not wait for anybody's lock."""

    def judge(self) -> Written | None:
        """Judge what was read, for as long as the transaction lasts; None when there was nothing to write.

        Raises a DomainError for a refusal that leaves nothing behind.
        """

    def can_join_group(self) -> bool:
        """Say whether what was read can be judged in a group: without waiting, and with a refusal at most to write.

        It judges nothing: who is told nothing of a judgment must not have been judged.
        """

    def verify(self) -> None:
        """Read and judge in a transaction of its own. Raises every refusal."""


def run(
    scope: Scope,
    work: Callable[[], Answer],
    *,
    gate: Gate | None = None,
    request_id: str | None = None,
) -> Answer:
    """Run ``work`` once for this key inside T1, behind the gate, and store its answer with its effect.

    Any error of ``work`` undoes everything, the claim too. A refusal by rule (DomainError of status 422) is then stored
    as the answer, in a transaction of its own. What the gate writes is committed alone. Raises InProgress when the key
    is being used, KeyReused when it was used with another body, OutcomeUnknown when a lost COMMIT could not be looked
    up, and whatever the gate raises.
    """
    return run_prefetched(scope, lambda: None, lambda _nothing: work(), gate=gate, request_id=request_id)


def run_prefetched(
    scope: Scope,
    prefetch: Callable[[], Prefetched],
    work: Callable[[Prefetched], Answer],
    *,
    gate: Gate | None = None,
    request_id: str | None = None,
) -> Answer:
    """Run work as ``run`` does, with what it reads first in one round trip with the claim.

    ``prefetch`` queues that, anew for each try, and must queue nothing else: it is sent before it is known whether the
    work may run.
    """
    for attempt in range(1, TRANSACTION_ATTEMPTS + 1):
        try:
            return _run_once(scope, prefetch, work, gate, request_id)
        except (OperationalError, InterfaceError) as error:
            if sqlstate_of(error) in RETRYABLE_SQLSTATES and attempt < TRANSACTION_ATTEMPTS:
                time.sleep(0.02 * attempt)
                continue
            if not is_lost_connection(error):
                raise
            return _after_lost_connection(scope, error)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _run_once(
    scope: Scope,
    prefetch: Callable[[], Prefetched],
    work: Callable[[Prefetched], Answer],
    gate: Gate | None,
    request_id: str | None,
) -> Answer:
    with transaction.atomic(durable=True):
        claim = Claim.queue(scope)
        if gate is not None:
            gate.prefetch()
        prefetched = prefetch()
        earlier = claim.earlier_answer()
        if earlier is not None:
            return earlier
        written = gate.judge() if gate is not None else None
        outcome = written or _done(scope, partial(work, prefetched))
        if isinstance(outcome, DomainError):
            transaction.set_rollback(True)
        elif isinstance(outcome, Answer):
            crashpoints.reach("idempotency.before_commit")
    if isinstance(outcome, DomainError):
        crashpoints.reach("idempotency.refused")
        return _kept(scope, Answer(outcome.status, domain_problem(outcome, request_id)))
    if isinstance(outcome, Answer):
        crashpoints.reach("idempotency.after_commit")
        return outcome
    if outcome.refusal is not None:
        raise outcome.refusal
    return _run_once(scope, prefetch, work, gate, request_id)


def _done(scope: Scope, work: Callable[[], Answer]) -> Answer | DomainError:
    """Do the work and store its answer, or return the refusal, of which only the answer may stay."""
    try:
        answer = work()
    except DomainError as refusal:
        if refusal.status != REFUSED_BY_RULE:
            raise
        return refusal
    store(scope, answer)
    return answer


def _kept(scope: Scope, refusal: Answer) -> Answer:
    """Store the answer of work that was rolled back; whoever had the key in between has the last word."""
    with transaction.atomic(durable=True):
        earlier = Claim.queue(scope).earlier_answer()
        if earlier is not None:
            return earlier
        store(scope, refusal)
        crashpoints.reach("idempotency.before_commit")
    crashpoints.reach("idempotency.after_commit")
    return refusal


@dataclass(frozen=True, slots=True)
class Claim:
    """The key's lock, and the look for an answer that was stored before."""

    scope: Scope
    _lock: PendingResult
    _record: PendingRow[IdempotencyRecord]

    @classmethod
    def queue(cls, scope: Scope) -> "Claim":
        """Queue both, the look after the lock."""
        digest = hashlib.sha256(f"{scope.user_id}|{scope.operation}|{scope.key}".encode()).digest()
        lock = TRY_LOCK.queue([int.from_bytes(digest[:8], "big", signed=True)])
        return cls(scope, lock, prefetch_record(scope))

    def is_new(self) -> bool:
        """Say whether the key is ours and was never used; it raises nothing of its own."""
        return self._lock.row() == (True,) and self._record.first() is None

    def earlier_answer(self) -> Answer | None:
        """Return what was stored: whoever sees it sees what was committed. None means that the key is ours now.

        Raises InProgress while it is somebody else's, and KeyReused.
        """
        is_ours, record = self._lock.row() == (True,), self._record.first()
        if record is None and not is_ours:
            raise InProgress(
                "The first request with this key has not finished. Repeat it shortly.", retry_after_s=1
            )
        return replay(record, self.scope)


def is_lost_connection(error: OperationalError | InterfaceError) -> bool:
    """Say whether COMMIT may have succeeded, its answer lost: the server said good-bye, or nothing at all.

    The connection itself cannot be asked: Django has opened a new one while it left the broken transaction.
    """
    sqlstate = sqlstate_of(error)
    return isinstance(error, InterfaceError) or not sqlstate or sqlstate.startswith(("57P", "08"))


def _after_lost_connection(scope: Scope, error: Exception) -> Answer:
    """Look the key up on a new connection: found is the answer, not found is the error, unreachable is unknown."""
    connection.close()
    found = look_up(scope, error)
    if found is None:
        raise error
    return found


def look_up(scope: Scope, error: Exception) -> Answer | None:
    """Return what is stored under a key whose COMMIT was lost by this error; None means that nothing was done.

    While the old backend still holds the key's lock its COMMIT may yet succeed, so "not found" counts only once
    the lock is free. Raises OutcomeUnknown when that cannot be learnt, and KeyReused.
    """
    give_up = time.monotonic() + LOOKUP_LIMIT_S
    while time.monotonic() < give_up:
        try:
            with transaction.atomic():
                return Claim.queue(scope).earlier_answer()
        except InProgress:
            time.sleep(LOOKUP_PAUSE_S)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(LOOKUP_PAUSE_S)
    raise OutcomeUnknown(retry_after_s=2) from error
