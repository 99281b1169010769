"""Two operations on fresh scenes: what comes of one after the other, and that every overlap comes to one of the two."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar
from uuid import UUID

from fintech_core.exceptions import DomainError
from fintech_core.idempotency import InProgress
from tests.concurrency.interleaving import Conductor, Game, Work, games
from tests.concurrency.racing import DONE
from tests.transactions.model.invariants import Tables


class Stageable(Protocol):
    """What a scene must tell of itself."""

    @property
    def people(self) -> Sequence[UUID]:
        """Everybody whose wallets move."""

    def fingerprint(self) -> dict[str, Any]:
        """Return what the tables say, so that scenes in which the same happened are equal."""


Scene = TypeVar("Scene", bound=Stageable)
# What may be done on a scene: given one before the game begins, it is work.
Operation = Callable[[Scene], Work]
Played = tuple[tuple[str, ...], dict[str, Any]]


def one_after_the_other(made: Callable[[], Scene], *operations: Operation[Scene]) -> Played:
    """Do operations in this order on a fresh scene."""
    scene, outcomes = made(), []
    for work in [operation(scene) for operation in operations]:
        try:
            work()
            outcomes.append(DONE)
        except DomainError as refusal:
            outcomes.append(refusal.code)
    return tuple(outcomes), scene.fingerprint()


@cache
def alone(made: Callable[[], Scene], operation: Operation[Scene]) -> Played:
    """Do one operation on a fresh scene; remembered, since it is asked for beside every other."""
    return one_after_the_other(made, operation)


def serial(made: Callable[[], Scene], pair: Sequence[Operation[Scene]]) -> list[Played]:
    """Return what comes of both orders; outcomes are given in the order of the pair.

    Who is told that the other still runs has done nothing.
    """
    first, second = pair
    outcomes, state = one_after_the_other(made, second, first)
    (of_first,), by_first = alone(made, first)
    (of_second,), by_second = alone(made, second)
    return [
        one_after_the_other(made, first, second),
        (outcomes[::-1], state),
        ((of_first, InProgress.code), by_first),
        ((InProgress.code, of_second), by_second),
    ]


def overlap(
    stage: Conductor,
    made: Callable[[], Scene],
    pair: Sequence[Operation[Scene]],
    *,
    preemptions: int | None = None,
) -> Iterator[Game]:
    """Play every game of two operations, each on a fresh scene, and hold each to the two orders."""
    expected = serial(made, pair)
    now: list[tuple[Scene, Tables]] = []

    def scene() -> list[Work]:
        before, fresh = Tables([]), made()
        works = [operation(fresh) for operation in pair]
        before.scope["people"] = fresh.people
        now[:] = [(fresh, before)]
        return works

    for game in games(stage, scene, preemptions=preemptions):
        played, tables = now[0]
        assert tables.broken() == {}, game
        assert (game.outcomes, played.fingerprint()) in expected, game
        yield game
