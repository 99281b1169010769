"""T1 for several requests at once: those of one operation that come while one of them runs are one transaction.

What a transaction costs besides its work (waits for the database, COMMIT, the checks of each statement) is paid once
for all of them. In company goes only what is plain: one request of a person, a key that is new, a gate that is free,
work that is done at once. A gate is judged once, and what it writes is committed with the group before it is told.
Whatever else a request turns out to be (a replay, a refusal by rule, something that somebody holds), it runs alone
right after, by ``run``, as if it had never been in company. So a group decides nothing but a success and a first miss.

Strangers must not wait for each other's locks, yet those who pay one merchant gain most by going together. So a group
waits for a lock, but hardly longer than another group holds one. Where that was not enough it breaks, and for a moment
the groups of this process wait for nothing: what somebody holds is left to whoever needs it.

* The process dies before the group's COMMIT: nothing of any of them exists, each next try runs.
* It dies after: each next try finds its record.
* The group's connection is lost: each looks its own key up, and runs alone where nothing was done.
* Anything else breaks the group: nothing of it exists, and each runs alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from fintech_core import crashpoints
from fintech_core.combining import Announcement, Combiner, Patience
from fintech_core.exceptions import LOCK_NOT_AVAILABLE, DomainError, sqlstate_of
from fintech_core.idempotency.records import Answer, Scope, store
from fintech_core.idempotency.running import Claim, Gate, is_lost_connection, look_up
from fintech_core.prepared import Statement

log = structlog.get_logger(__name__)

# More in one transaction win little, and each waits for the last.
MOST_IN_COMPANY = 16
# For its leader several times as long as a group takes (a lone request may take longer, for a wallet); for those on
# their way about as long, which is what they would wait for the next group.
PATIENCE = Patience(leader_s=0.1, company_s=0.015, on_the_way_s=0.05)
# It counts for each lock.
_WAIT_BRIEFLY = Statement("SET LOCAL lock_timeout = '50ms'")
# For so long no group waits for a lock after one has waited in vain.
HURRY_S = 1.0


class Task(Protocol):
    """What a request wants done, as data."""

    def ask(self) -> None:
        """Queue what is to be read first, and nothing else."""


AnyTask = TypeVar("AnyTask", bound=Task)


@dataclass(frozen=True, slots=True)
class Errand(Generic[AnyTask]):
    """A request on its way: its key, its gate, its task, and how it runs alone."""

    scope: Scope
    gate: Gate
    task: AnyTask
    alone: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class _Lost:
    """The connection of a group was lost, and its COMMIT may have succeeded unheard."""

    error: OperationalError | InterfaceError


@dataclass(frozen=True, slots=True)
class _Missed:
    """It was refused at its gate, but the group broke: that has to be written before anything else is told."""


_Outcome = Answer | DomainError | _Lost | _Missed | None


class Group(Generic[AnyTask]):
    """The requests of one operation in this process, which may be done together.

    ``together`` does the tasks in one transaction that is open and returns, for each, the answer where it is done, and
    None where it has to run alone, of which nothing may stay. It is told whether it may wait for locks.
    """

    def __init__(self, together: Callable[[Sequence[AnyTask], bool], Sequence[Answer | None]]) -> None:
        self._together = together
        self._hurries_until = 0.0
        self._combiner: Combiner[Errand[AnyTask], _Outcome] = Combiner(
            self._carry_out, most=MOST_IN_COMPANY, patience=PATIENCE
        )

    def announce(self) -> Announcement:
        """Say that a request is on its way, for which whoever leads waits a moment."""
        return self._combiner.announce()

    def run(self, errand: Errand[AnyTask], announcement: Announcement | None = None) -> Answer:
        """Answer the request once for its key, in company if there is any. Raises what running it alone raises."""
        outcome = self._combiner.run(errand, announcement)
        if isinstance(outcome, DomainError):
            raise outcome
        if isinstance(outcome, _Missed):
            errand.gate.verify()
        if isinstance(outcome, _Lost):
            return look_up(errand.scope, outcome.error) or errand.alone()
        return outcome if isinstance(outcome, Answer) else errand.alone()

    def _carry_out(self, errands: Sequence[Errand[AnyTask]]) -> Sequence[_Outcome]:
        if len(errands) == 1:
            return [errands[0].alone()]
        outcomes: dict[int, Answer | DomainError] = {}
        try:
            self._in_one_transaction(errands, outcomes)
        except (OperationalError, InterfaceError) as error:
            if is_lost_connection(error):
                log.warning("group_lost", requests=len(errands), error=type(error).__name__)
                connection.close()
                return [_Lost(error)] * len(errands)
            if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
                self._hurries_until = time.monotonic() + HURRY_S
            else:
                log.warning("group_broken", requests=len(errands), error=type(error).__name__)
        except DomainError:  # it concerns all of them, and is told to each
            pass
        except Exception:
            log.warning("group_broken", requests=len(errands), exc_info=True)
        else:
            return [outcomes.get(place) for place in range(len(errands))]
        missed = {place for place, outcome in outcomes.items() if isinstance(outcome, DomainError)}
        return [_Missed() if place in missed else None for place in range(len(errands))]

    def _in_one_transaction(
        self, errands: Sequence[Errand[AnyTask]], outcomes: dict[int, Answer | DomainError]
    ) -> None:
        """Do what is plain, and note what came of each, which counts once this has returned."""
        with transaction.atomic(durable=True):
            _WAIT_BRIEFLY.queue()
            let_in = []
            for place in _plain_among(errands):
                written = errands[place].gate.judge()
                if written is None:
                    let_in.append(place)
                elif written.refusal is not None:
                    outcomes[place] = written.refusal
            may_wait = time.monotonic() > self._hurries_until
            answers = self._together([errands[place].task for place in let_in], may_wait)
            for place, answer in zip(let_in, answers, strict=True):
                if answer is not None:
                    store(errands[place].scope, answer)
                    outcomes[place] = answer
            crashpoints.reach("idempotency.before_commit")
        crashpoints.reach("idempotency.after_commit")


def _plain_among(errands: Sequence[Errand[Any]]) -> list[int]:
    """Claim the keys, ask at the gates, and return the places of those whose key is new and whose gate is free.

    Of each person only the first is asked: what one of them writes at the gate the next would have to know.
    """
    first_of: dict[UUID, int] = {}
    for place, errand in enumerate(errands):
        first_of.setdefault(errand.scope.user_id, place)
    claims = {}
    for place in first_of.values():
        claims[place] = Claim.queue(errands[place].scope)
        errands[place].gate.ask()
        errands[place].task.ask()
    return [place for place, claim in claims.items() if claim.is_new() and errands[place].gate.is_plain()]
