"""All ways in which two operations can overlap, played one after another on real PostgreSQL.

Each operation runs in a thread of its own and waits before every statement and before COMMIT. A conductor lets one of
them go on at a time; whoever waits for a lock in the database is found in ``pg_blocking_pids``. A game is the list of
who went on at each point; ``games`` plays every list there is, or every one with at most so many preemptions (going on
with the other although this one could have).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psycopg
from django.db import Error, connection

from fintech_core.exceptions import DomainError
from tests.concurrency.racing import DONE
from tests.transactions.model.stops import hooked

Work = Callable[[], object]
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
            self.change.notify_all()
            if not self.change.wait_for(lambda: self.may_go, GIVE_UP_S):
                raise TimeoutError("the conductor is gone")
            self.may_go = self.stands = False

    def committed(self, link: "psycopg.Connection[Any]") -> None:
        """Go on."""


@dataclass
class Game:
    """What was played: who could go on at each point, and who did."""

    options: list[tuple[int, ...]] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)
    outcomes: tuple[str, ...] = ()

    def preemptions(self, upto: int, move: int) -> int:
        """Count the switches away from somebody who could have gone on, with this move as the last."""
        moves = [*self.moves[:upto], move]
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
        players = [Player(self._change) for _ in works]
        running = [self._pool.submit(player.play, work) for player, work in zip(players, works, strict=True)]
        game = Game()
        while options := self._options(players, running):
            last = game.moves[-1] if game.moves else options[0]
            planned = plan[len(game.moves)] if len(game.moves) < len(plan) else last
            move = planned if planned in options else options[0]
            game.options.append(options)
            game.moves.append(move)
            with self._change:
                players[move].may_go, players[move].stands = True, False
                self._change.notify_all()
        for future in running:
            future.result()
        game.outcomes = tuple(player.outcome for player in players)
        return game

    def _options(self, players: list[Player], running: "list[Future[None]]") -> tuple[int, ...]:
        """Wait until everybody stands, waits for a lock or has ended; return who stands."""
        give_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up:
            with self._change:
                self._change.wait_for(lambda: all(one.stands or one.outcome for one in players), GLANCE_S)
                moving = [one for one in players if not one.stands and not one.outcome]
                standing = tuple(number for number, one in enumerate(players) if one.stands)
                if not moving:
                    return standing
            if standing and all(one.backend and _is_blocked(one.backend) for one in moving):
                return standing
            if broken := [future for future in running if future.done() and future.exception()]:
                broken[0].result()
        raise TimeoutError(f"nobody goes on: {[(one.statement, one.outcome) for one in players]}")


def games(
    conductor: Conductor, scene: Callable[[], Sequence[Work]], *, preemptions: int | None = None
) -> Iterator[Game]:
    """Play every game on a fresh scene, depth first; the caller looks at the scene after each."""
    plan: list[int] | None = []
    while plan is not None:
        game = conductor.play(scene(), plan)
        yield game
        plan = _next(game, preemptions)


def _next(game: Game, most: int | None) -> list[int] | None:
    """Return the beginning of the game that comes after this one: the last point at which more could be tried."""
    for at in reversed(range(len(game.moves))):
        taken, order = game.moves[at], _order(game, at)
        for other in order[order.index(taken) + 1 :]:
            if most is None or game.preemptions(at, other) <= most:
                return [*game.moves[:at], other]
    return None


def _order(game: Game, at: int) -> list[int]:
    """Return the order in which the moves at a point are tried: whoever went on last, then the other."""
    options = game.options[at]
    last = game.moves[at - 1] if at else options[0]
    return sorted(options, key=lambda option: option != last) if last in options else list(options)


def _is_blocked(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend])
        return bool(cursor.fetchall()[0][0])
