"""A hook on the way to the database: it is called before each statement and before each COMMIT of its own thread.

It stands in the driver, and before what the project's own engine says, which goes past the driver's cursors, so nothing
that reaches PostgreSQL passes it by. What a thread does with its stops (die there, wait there) is the hook's affair.
SAVEPOINTs are no stops: nobody else can tell whether they were reached. Statements that go with the next one stop with
it, but never with COMMIT.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
import pytest

from fintech_core.database import base
from fintech_core.libpq import Message
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
    execute, converse, start = psycopg.Cursor.execute, base.converse, base.start

    def execute_with_stop(self: Any, query: Any, *given: Any, **options: Any) -> Any:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None and not str(query).startswith(_QUIET):
            hook.before(str(query), self.connection)
        return execute(self, query, *given, **options)

    def converse_with_stop(
        connection: "psycopg.Connection[Any]", messages: Sequence[Message], under_way: Sequence[Message]
    ) -> None:
        hook: Hook | None = getattr(_hooks, "now", None)
        commits = bool(messages) and messages[-1].text == COMMIT.encode()
        if hook is not None and (statements := _statements(messages)):
            hook.before(statements, connection)
        if hook is not None and commits and (under_way or _statements(messages)):
            converse(
                connection, messages[:-1], under_way
            )  # a point of its own, between what was written and its end
            messages, under_way = messages[-1:], ()
        if hook is not None and commits:
            hook.before(COMMIT, connection)
        converse(connection, messages, under_way)
        if hook is not None and commits:
            hook.committed(connection)

    def start_with_stop(
        connection: "psycopg.Connection[Any]", messages: Sequence[Message], under_way: Sequence[Message]
    ) -> list[Message]:
        hook: Hook | None = getattr(_hooks, "now", None)
        if hook is not None and (statements := _statements(messages)):
            hook.before(statements, connection)
        return start(connection, messages, under_way)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute_with_stop)
        patch.setattr(base, "converse", converse_with_stop)
        patch.setattr(base, "start", start_with_stop)
        for length in ("FIRST_PART_ENTRIES", "PART_ENTRIES"):
            patch.setattr(writing, length, 2)  # so that small steps are written in parts, too
        yield


def _statements(messages: Sequence[Message]) -> str:
    return b"; ".join(message.text for message in messages if not message.is_command).decode()
