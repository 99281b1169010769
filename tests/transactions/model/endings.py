"""How an operation may end besides well: its process dies, or its connection does, at any statement of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from django.db import Error, connection, connections

from tests.transactions.model.stops import hooked

WELL, DIES, CUT, UNHEARD = "ends well", "process dies", "connection is cut", "answer of COMMIT is lost"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ending:
    """What happens, and before which of the operation's statements; too late a one never happens."""

    how: str = WELL
    at: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody heard what came of the operation; ``committed`` is what the database knows."""

    committed: bool


class ProcessDied(BaseException):
    """The process is gone: nothing after this point is run."""


class Fate:
    """Brings an ending about, and knows whether it struck."""

    def __init__(self, ending: Ending) -> None:
        self.ending, self.passed, self.commits, self.struck = ending, 0, 0, False

    def before(self, statement: str, link: "psycopg.Connection[Any]") -> None:
        """Die here, or be cut off here, when it is time."""
        due = self.passed == self.ending.at and not self.struck
        self.passed += 1
        if not due or self.ending.how not in {DIES, CUT}:
            return
        self.struck = True
        if self.ending.how == DIES:
            raise ProcessDied(statement)
        cut(link.info.backend_pid)

    def committed(self, link: "psycopg.Connection[Any]") -> None:
        """Lose the answer of the COMMIT that was done."""
        if self.struck:
            return  # what is looked up afterwards, on another connection
        self.commits += 1
        if self.ending.how == UNHEARD:
            self.struck = True
            cut(link.info.backend_pid)
            raise psycopg.OperationalError("server closed the connection unexpectedly")


def cut(backend: int) -> None:
    """End a session from outside, as its owner may."""
    with hooked(_Ignored()), connections["owner"].cursor() as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


class _Ignored:
    def before(self, statement: str, link: "psycopg.Connection[Any]") -> None:
        """Let it pass."""

    def committed(self, link: "psycopg.Connection[Any]") -> None:
        """Let it pass."""


def carried_out(ending: Ending, work: Callable[[], Result]) -> Result | Silence:
    """Do the work under an ending and return its result, or a silence where nobody heard of one."""
    fate = Fate(ending)
    try:
        with hooked(fate):
            return work()
    except (ProcessDied, Error):
        if not fate.struck:
            raise
        return Silence(committed=fate.commits > 0)
    finally:
        if fate.struck:
            connection.close()
