"""T1 for several requests at once: those of one operation that come while one of them runs are one transaction.

What a transaction costs besides its work (waits for the database, COMMIT, the checks of each statement) is paid once
for all of them. A request joins the group only with a key that is new, a gate that can be judged without waiting, work
that is done at once, and as the only one of its person. A gate is judged once, and what it writes is committed with the
group before it is told. Whatever else a request turns out to be (a replay, a refusal by rule, something that somebody
holds), it runs alone right after, by ``run``, as if it had never been in a group. So a group decides nothing but a
success and a first wrong answer at a gate.

Strangers must not wait for each other's locks, yet those who pay one merchant gain most by going together. So a group
waits for a lock, but hardly longer than another group holds one. Where that was not enough it is rolled back, and for a
moment the groups of this process wait for no lock: what somebody holds is left to whoever needs it.

* The process dies before the group's COMMIT: nothing of any of them exists, each next try runs.
* It dies after: each next try finds its record.
* The group's connection is lost: each looks its own key up, and runs alone where nothing was done.
* Anything else fails in the group: it is rolled back, and each runs alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from fintech_core import crashpoints
from fintech_core.combining import Announcement, Combiner, Waits
from fintech_core.exceptions import LOCK_NOT_AVAILABLE, DomainError, sqlstate_of
from fintech_core.idempotency.records import Answer, Scope, store
from fintech_core.idempotency.running import Claim, Gate, is_lost_connection, look_up
from fintech_core.prepared import Statement

log = structlog.get_logger(__name__)

# More in one transaction win little, and each waits for the last.
MAX_GROUP_SIZE = 16
# To take over from a leader, several times as long as a group takes (a lone request may take longer, for a wallet); for
# those that are announced about as long, which is what they would wait for the next group.
WAITS = Waits(takeover_s=0.1, gather_s=0.015, announced_s=0.05)
# It counts for each lock.
_SHORT_LOCK_TIMEOUT = Statement("SET LOCAL lock_timeout = '50ms'")
# For so long no group waits for a lock after the lock timeout of one.
NO_LOCK_WAITS_FOR_S = 1.0


Prefetched = TypeVar("Prefetched")
Prefetched_co = TypeVar("Prefetched_co", covariant=True)


class Task(Protocol[Prefetched_co]):
    """What a request wants done, as data."""

    def prefetch(self) -> Prefetched_co:
        """Queue what is to be read first, and nothing else; return one try of the task, with what it reads."""


@dataclass(frozen=True, slots=True)
class GroupedRequest(Generic[Prefetched]):
    """A request that may be done in a group: its key, its gate, its task, and how it runs alone."""

    scope: Scope
    gate: Gate
    task: Task[Prefetched]
    run_alone: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class _ConnectionLost:
    """The connection of a group was lost, and its COMMIT may have succeeded."""

    error: OperationalError | InterfaceError


@dataclass(frozen=True, slots=True)
class _RefusalRolledBack:
    """The gate refused it, but the group was rolled back: that has to be written before anything else is told."""


_Outcome = Answer | DomainError | _ConnectionLost | _RefusalRolledBack | None


class Group(Generic[Prefetched]):
    """The requests of one operation in this process, which may be done together.

    ``together`` does prefetched tasks in one transaction that is open and returns, for each, the answer where it is
    done, and None where it has to run alone, of which nothing may stay. It is told whether it may wait for locks.
    """

    def __init__(self, together: Callable[[Sequence[Prefetched], bool], Sequence[Answer | None]]) -> None:
        self._together = together
        self._no_lock_waits_until = 0.0
        self._combiner: Combiner[GroupedRequest[Prefetched], _Outcome] = Combiner(
            self._carry_out, max_size=MAX_GROUP_SIZE, waits=WAITS
        )

    def announce(self) -> Announcement:
        """Say that a request is about to come, for which a leader waits a moment."""
        return self._combiner.announce()

    def run(self, request: GroupedRequest[Prefetched], announcement: Announcement | None = None) -> Answer:
        """Answer the request once for its key, with others if any wait. Raises what running it alone raises."""
        outcome = self._combiner.run(request, announcement)
        if isinstance(outcome, DomainError):
            raise outcome
        if isinstance(outcome, _RefusalRolledBack):
            request.gate.verify()
        if isinstance(outcome, _ConnectionLost):
            return look_up(request.scope, outcome.error) or request.run_alone()
        return outcome if isinstance(outcome, Answer) else request.run_alone()

    def _carry_out(self, requests: Sequence[GroupedRequest[Prefetched]]) -> Sequence[_Outcome]:
        if len(requests) == 1:
            return [requests[0].run_alone()]
        outcomes: dict[int, Answer | DomainError] = {}
        try:
            self._in_one_transaction(requests, outcomes)
        except (OperationalError, InterfaceError) as error:
            if is_lost_connection(error):
                log.warning("group_lost", requests=len(requests), error=type(error).__name__)
                connection.close()
                return [_ConnectionLost(error)] * len(requests)
            if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
                self._no_lock_waits_until = time.monotonic() + NO_LOCK_WAITS_FOR_S
            else:
                log.warning("group_broken", requests=len(requests), error=type(error).__name__)
        except DomainError:  # it concerns all of them, and is told to each
            pass
        except Exception:
            log.warning("group_broken", requests=len(requests), exc_info=True)
        else:
            return [outcomes.get(place) for place in range(len(requests))]
        refused = {place for place, outcome in outcomes.items() if isinstance(outcome, DomainError)}
        return [_RefusalRolledBack() if place in refused else None for place in range(len(requests))]

    def _in_one_transaction(
        self, requests: Sequence[GroupedRequest[Prefetched]], outcomes: dict[int, Answer | DomainError]
    ) -> None:
        """Do those that can be done together, and note the outcome of each, which counts once this has returned."""
        with transaction.atomic(durable=True):
            _SHORT_LOCK_TIMEOUT.queue()
            prefetched = _prefetched_that_can_join(requests)
            admitted = []
            for place in prefetched:
                written = requests[place].gate.judge()
                if written is None:
                    admitted.append(place)
                elif written.refusal is not None:
                    outcomes[place] = written.refusal
            may_wait = time.monotonic() > self._no_lock_waits_until
            answers = self._together([prefetched[place] for place in admitted], may_wait)
            for place, answer in zip(admitted, answers, strict=True):
                if answer is not None:
                    store(requests[place].scope, answer)
                    outcomes[place] = answer
            crashpoints.reach("idempotency.before_commit")
        crashpoints.reach("idempotency.after_commit")


def _prefetched_that_can_join(requests: Sequence[GroupedRequest[Prefetched]]) -> dict[int, Prefetched]:
    """Claim the keys, and return, by place, the tasks whose key is new and whose gate can be judged without waiting.

    Of each person only the first is tried: what one of them writes at the gate the next would have to know.
    """
    first_of: dict[UUID, int] = {}
    for place, request in enumerate(requests):
        first_of.setdefault(request.scope.user_id, place)
    claims, prefetched = {}, {}
    for place in first_of.values():
        claims[place] = Claim.queue(requests[place].scope)
        requests[place].gate.prefetch()
        prefetched[place] = requests[place].task.prefetch()
    return {
        place: prefetched[place]
        for place, claim in claims.items()
        if claim.is_new() and requests[place].gate.can_join_group()
    }
