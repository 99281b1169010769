"""A hook on the way to the database: it is called before each statement and before each COMMIT of its own thread.

It stands in the driver, and before what the project's own engine sends, which goes past the driver's cursors, so
nothing that reaches PostgreSQL passes it by. What a thread does with its stops (die there, wait there) is the hook's
affair. SAVEPOINTs are no stops: nobody else can tell whether they were reached. Statements that are queued stop with
the next one, but never with COMMIT.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
import pytest

from fintech_core.database import base
from fintech_core.libpq import Command
from transactions.services import writing

COMMIT = "COMMIT"
_QUIET = ("SAVEPOINT", "RELEASE", "ROLLBACK")
_hooks = threading.local()


class Hook(Protocol):
    """What a thread does at its stops."""

    def before(self, statement: str, connection: "psycopg.Connection[Any]") -> None:
        """Called before a statement, or COMMIT, is sent."""

    def committed(self, connection: "psycopg.Connection[Any]") -> None:
        """Called when COMMIT was answered."""


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Let this thread's statements pass the hook."""
    outer = getattr(_hooks, "now", None)
    _hooks.now = hook
    try:
        yield
    finally:
        _hooks.now = outer


@contextmanager
def installed() -> Iterator[None]:
    """Stand in the way for a while."""
    execute = psycopg.Cursor.execute
    run_pipeline, start_pipeline = base.run_pipeline, base.start_pipeline

    def execute_with_stop(self: Any, query: Any, *given: Any, **options: Any) -> Any:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None and not str(query).startswith(_QUIET):
            hook.before(str(query), self.connection)
        return execute(self, query, *given, **options)

    def run_pipeline_with_stop(
        connection: "psycopg.Connection[Any]", commands: Sequence[Command], in_flight: Sequence[Command]
    ) -> None:
        hook: Hook | None = getattr(_hooks, "now", None)
        commits = bool(commands) and commands[-1].text == COMMIT.encode()
        if hook is not None and (statements := _statements(commands)):
            hook.before(statements, connection)
        if hook is not None and commits and (in_flight or _statements(commands)):
            run_pipeline(
                connection, commands[:-1], in_flight
            )  # a point of its own, between what was written and its end
            commands, in_flight = commands[-1:], ()
        if hook is not None and commits:
            hook.before(COMMIT, connection)
        run_pipeline(connection, commands, in_flight)
        if hook is not None and commits:
            hook.committed(connection)

    def start_pipeline_with_stop(
        connection: "psycopg.Connection[Any]", commands: Sequence[Command], in_flight: Sequence[Command]
    ) -> list[Command]:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None and (statements := _statements(commands)):
            hook.before(statements, connection)
        return start_pipeline(connection, commands, in_flight)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute_with_stop)
        patch.setattr(base, "run_pipeline", run_pipeline_with_stop)
        patch.setattr(base, "start_pipeline", start_pipeline_with_stop)
        for length in ("FIRST_PART_ENTRIES", "PART_ENTRIES"):
            patch.setattr(writing, length, 2)  # so that small steps are written in parts, too
        yield


def _statements(commands: Sequence[Command]) -> str:
    return b"; ".join(command.text for command in commands if not command.is_control).decode()
