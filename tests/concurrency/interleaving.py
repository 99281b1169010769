"""All ways in which two operations can overlap, played one after another on real PostgreSQL.

Each operation runs in a thread of its own and waits before every statement and before COMMIT. A conductor lets one of
them go on at a time; whoever waits for a lock in the database is found in ``pg_blocking_pids``. A game is the list of
who went on at each point; ``games`` plays every list there is, those with the fewest preemptions (going on with the
other although this one could have) first: two or three are enough for most mistakes.

Of lists that tell the same one is played. Under READ COMMITTED two people meet only in a COMMIT and where both lock or
write in one table; anything else may change places, and nobody can tell.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psycopg
from django.db import Error, connection

from fintech_core import clock
from fintech_core.exceptions import DomainError
from tests.concurrency.racing import DONE
from tests.transactions.model.stops import COMMIT, hooked
from transactions import fees, limits, switches

Work = Callable[[], object]
# The tables in which a statement locks or writes; a COMMIT, and what is in doubt, concerns everything.
Touched = frozenset[str]
EVERYTHING: Touched = frozenset({"everything"})
_NAMED = re.compile(r'(?:\bINTO|(?<!KEY )\bUPDATE|\bFROM|\bJOIN)\s+"?(\w+)\b(?!\()')
_LOCKS = re.compile(r"\bFOR\b|\bpg_|^\s*(?:WITH|INSERT|UPDATE)\b")
# Whoever does not wait for a lock sees the other give it back, which may come after any statement that is refused.
_IN_DOUBT = re.compile(
    r"SKIP LOCKED|NOWAIT|\bpg_(?!current_xact_id)|FOR UPDATE|FOR SHARE|\bDELETE\b|\bMERGE\b"
)
# A statement that only waits for such a lock is like one that waits for a row: who needs none cannot tell.
_ADVISORY = re.compile(r"\bSELECT pg_advisory_xact_lock(?!.*\bFROM\b)")
# Everybody adds rows to these, and nobody waits for anybody's.
_LOGS = frozenset({"notifications_event", "fintech_core_auditrecord"})
GIVE_UP_S = 20.0
GLANCE_S = 0.002


@dataclass
class Player:
    """One operation on its way: it stands at a stop, runs, or has ended with an outcome."""

    change: threading.Condition
    stands: bool = False
    may_go: bool = False
    backend: int = 0
    outcome: str = ""
    statement: str = ""
    touches: Touched = EVERYTHING

    def play(self, work: Work) -> None:
        """Do the work, waiting at every stop; note what came of it as one word."""
        try:
            connection.ensure_connection()
            with hooked(self):
                work()
            outcome = DONE
        except DomainError as refusal:
            outcome = refusal.code
        except Error as error:
            outcome = f"{type(error).__name__}: {error}"
        with self.change:
            self.outcome = outcome
            self.change.notify_all()

    def before(self, statement: str, link: "psycopg.Connection[Any]") -> None:
        """Stand here until the conductor lets this one go on."""
        with self.change:
            self.backend, self.statement, self.stands = link.info.backend_pid, statement, True
            self.touches = _touched_by(statement, link)
            self.change.notify_all()
            if not self.change.wait_for(lambda: self.may_go, GIVE_UP_S):
                raise TimeoutError("the conductor is gone")
            self.may_go = self.stands = False

    def committed(self, link: "psycopg.Connection[Any]") -> None:
        """Go on."""


@dataclass
class Game:
    """What was played: who could go on at each point, in which tables, and who did."""

    options: list[dict[int, Touched]] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)
    outcomes: tuple[str, ...] = ()

    @property
    def preemptions(self) -> int:
        """How often one went on although the other, who went on last, could have."""
        return self.preemptions_of(self.moves)

    def preemptions_of(self, moves: Sequence[int]) -> int:
        """Count the switches away from somebody who could have gone on, in a game that leaves this one at its end."""
        return sum(
            moves[at] != moves[at - 1] and moves[at - 1] in self.options[at] for at in range(1, len(moves))
        )


class Conductor:
    """Two threads with connections of their own, and the say in who goes on."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._change = threading.Condition()

    def __enter__(self) -> "Conductor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gate = threading.Barrier(2)

        def leave() -> None:
            gate.wait(GIVE_UP_S)
            connection.close()

        for left in [self._pool.submit(leave) for _ in range(2)]:
            left.result()
        self._pool.shutdown()

    def play(self, works: Sequence[Work], plan: Sequence[int]) -> Game:
        """Play a game that begins as planned; after that whoever went on last goes on as long as possible."""
        _read_what_is_remembered()
        players = [Player(self._change) for _ in works]
        running = [self._pool.submit(player.play, work) for player, work in zip(players, works, strict=True)]
        game = Game()
        while options := self._options(players, running):
            if len(game.moves) < len(plan):
                move = plan[len(game.moves)]
                if move not in options:
                    raise RuntimeError(f"the same moves led elsewhere than before: {plan}, {game}")
            else:
                last = game.moves[-1] if game.moves else 0
                move = last if last in options else min(options)
            game.options.append(options)
            game.moves.append(move)
            with self._change:
                players[move].may_go, players[move].stands = True, False
                self._change.notify_all()
        for future in running:
            future.result()
        game.outcomes = tuple(player.outcome for player in players)
        return game

    def _options(self, players: list[Player], running: "list[Future[None]]") -> dict[int, Touched]:
        """Wait until everybody stands, waits for a lock or has ended; return who stands, and what they will do."""
        give_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up:
            with self._change:
                self._change.wait_for(lambda: all(one.stands or one.outcome for one in players), GLANCE_S)
                moving = [one for one in players if not one.stands and not one.outcome]
                standing = {number: one.touches for number, one in enumerate(players) if one.stands}
                if not moving:
                    return standing
            if standing and all(one.backend and _is_blocked(one.backend) for one in moving):
                return standing
            if broken := [future for future in running if future.done() and future.exception()]:
                broken[0].result()
        raise TimeoutError(f"nobody goes on: {[(one.statement, one.outcome) for one in players]}")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a game begins; who sleeps has been played first from there, and need not go on before it matters."""

    moves: tuple[int, ...] = ()
    sleeps: int | None = None


def games(
    conductor: Conductor, scene: Callable[[], Sequence[Work]], *, preemptions: int | None = None
) -> Iterator[Game]:
    """Play every game, each on a fresh scene, or every one with at most so many preemptions.

    Those with fewer come first. The caller looks at the scene after each.
    """
    waiting: list[deque[Plan]] = [deque([Plan()])]
    for plans in waiting:
        while plans:
            plan = plans.popleft()
            game = conductor.play(scene(), plan.moves)
            yield game
            for count, other in _other_ways(game, plan):
                if preemptions is None or count <= preemptions:
                    waiting.extend(deque() for _ in range(len(waiting), count + 1))
                    # Where they are counted nobody sleeps: the game that tells the same may have too many of them.
                    waiting[count].append(other if preemptions is None else Plan(other.moves))


def _other_ways(game: Game, plan: Plan) -> Iterator[tuple[int, Plan]]:
    """Return how games begin that leave this one at some later point, and how many preemptions each has."""
    sleeps = plan.sleeps
    for at in range(len(plan.moves), len(game.moves)):
        taken, options = game.moves[at], game.options[at]
        if taken == sleeps:
            return  # nobody else can go on: the same was played with this one going first
        for other in options.keys() - {taken, sleeps}:
            same, moves = _never_meet(options[taken], options[other]), (*game.moves[:at], other)
            yield game.preemptions_of(moves), Plan(moves, taken if same else None)
        if sleeps is not None and not _never_meet(options[sleeps], options[taken]):
            sleeps = None


def _touched_by(statement: str, link: "psycopg.Connection[Any]") -> Touched:
    """Return the tables in which a statement locks or writes, none where it only reads."""
    text = statement.removeprefix("b'")
    if text.lstrip().startswith("SELECT") and not _LOCKS.search(text):
        return frozenset()
    if text == COMMIT or link.autocommit:
        return EVERYTHING
    if _ADVISORY.search(text):
        return frozenset({"advisory locks"})
    if _IN_DOUBT.search(text) or not _LOCKS.search(text):
        return EVERYTHING
    named = frozenset(_NAMED.findall(text))
    return named - _LOGS if text.lstrip().startswith("INSERT") else named


def _never_meet(one: Touched, other: Touched) -> bool:
    """Say whether two statements of different people may change places, and nobody can tell."""
    return EVERYTHING not in (one, other) and one.isdisjoint(other)


def _read_what_is_remembered() -> None:
    """Read rules and switch anew: no game may hang on the second at which a process asks for them again."""
    now = clock.now()
    for remembered in (fees, limits, switches):
        remembered.forget()
    fees.rule_for(kind="transfer", currency="NGN", tier=1, at=now)
    limits.limits_for(tier=1, currency="NGN", at=now)
    switches.require_money_out()


def _is_blocked(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend])
        return bool(cursor.fetchall()[0][0])
