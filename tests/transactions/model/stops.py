"""A hook on the way to the database: it is called before each statement and before each COMMIT of its own thread.

It stands in the driver, and before the prepared statements and the COMMITs of the project's own engine, which go past
the driver's cursors, so nothing that reaches PostgreSQL passes it by. What a thread does with its stops (die there,
wait there) is the hook's affair. SAVEPOINTs are no stops: nobody else can tell whether they were reached. Nor are
statements that go with the next one: what is before that one is before them.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
import pytest
from django.db import connection

from fintech_core.database import base
from fintech_core.libpq import Message
from fintech_core.prepared import Statement

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
    execute, converse, rows = psycopg.Cursor.execute, base.converse, Statement.rows

    def execute_with_stop(self: Any, query: Any, *given: Any, **options: Any) -> Any:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None and not str(query).startswith(_QUIET):
            hook.before(str(query), self.connection)
        return execute(self, query, *given, **options)

    def rows_with_stop(self: Statement, values: Any = ()) -> Any:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None:
            connection.ensure_connection()
            hook.before(self.text.decode(), connection.connection)
        return rows(self, values)

    def converse_with_stop(connection: "psycopg.Connection[Any]", messages: Sequence[Message]) -> Any:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is None or messages[-1].text != COMMIT.encode():
            return converse(connection, messages)
        hook.before(COMMIT, connection)
        heard = converse(connection, messages)
        hook.committed(connection)
        return heard

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute_with_stop)
        patch.setattr(base, "converse", converse_with_stop)
        patch.setattr(Statement, "rows", rows_with_stop)
        yield
