"""A statement that each session prepares once, and that can be queued to share a round trip with others."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, LiteralString
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import psycopg
import psycopg.abc
from django.conf import settings
from django.db.transaction import TransactionManagementError
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from fintech_core.database.base import DatabaseWrapper, default_database
from fintech_core.libpq import Command

Parameters = Mapping[str, object] | Sequence[object]
ResultRow = tuple[Any, ...]
_PLACE: Final = re.compile(rb"%%|%s|%\((\w+)\)s")
_numbers: Final = count(1)


def as_json_rows(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as one parameter for ``json_to_recordset``; the keys are the columns that the statement names.

    To adapt an array for each column takes several times as long. What JSON has no word for goes in as its ``str``,
    which PostgreSQL reads.
    """
    return orjson.dumps(rows, default=str).decode()


def as_array(values: Iterable[UUID]) -> str:
    """Write UUIDs as one parameter for ``%s::uuid[]``.

    They need no quotes, which psycopg looks for in each of them, and PostgreSQL reads them without hyphens, which
    ``str`` puts in one by one.
    """
    return "{" + ",".join(value.hex for value in values) + "}"


@dataclass(frozen=True, slots=True)
class _Session:
    """How values are written and read in one session with the server."""

    connection: "psycopg.Connection[Any]"
    transformer: "psycopg.abc.Transformer"

    def rows(self, result: PGresult) -> list[ResultRow]:
        """Read the rows of a result."""
        self.transformer.set_pgresult(result)
        return self.transformer.load_rows(0, result.ntuples, tuple)


# By Django's connections, which connect anew now and then. A session names the connection of psycopg that it is for:
# kept by that one it would keep it for good.
_sessions: "WeakKeyDictionary[DatabaseWrapper, _Session]" = WeakKeyDictionary()


def _session(database: DatabaseWrapper) -> _Session:
    session = _sessions.get(database)
    if session is None or session.connection is not database.connection:
        session = _Session(database.connection, Transformer(database.connection))
        _sessions[database] = session
    return session


class Statement:
    """One statement, with ``%s`` or ``%(name)s`` for values, which a session prepares when it first runs there.

    It runs on Django's connection, in the transaction that is open there, and raises Django's database errors. It asks
    libpq to run it and wait, which takes a third of the time that a cursor of psycopg takes; the wait lets other
    threads run. What is queued on the connection, and a BEGIN that is due, goes with it in one round trip. Values are
    adapted as psycopg's cursors adapt them. ``binary`` lets the server answer in its binary form, which is read faster;
    Django's converters of JSON and of network addresses expect the other.
    """

    def __init__(self, text: LiteralString | bytes, *, binary: bool = False) -> None:
        self.text = text if isinstance(text, bytes) else text.encode()
        self._format = Format.BINARY if binary else Format.TEXT
        self._name = b"fintech_core_%d" % next(_numbers)
        self._names: list[str] = []
        self._numbered = _PLACE.sub(self._number, self.text)

    def _number(self, found: "re.Match[bytes]") -> bytes:
        """Return a place as PostgreSQL names it; a name that stands twice is one value."""
        if found[0] == b"%%":
            return b"%"
        name = found[1].decode() if found[1] else f"{len(self._names)}"
        if name not in self._names:
            self._names.append(name)
        return b"$%d" % (self._names.index(name) + 1)

    def row(self, values: Parameters = ()) -> ResultRow | None:
        """Run the statement and return its first row, or None."""
        return self.queue(values).row()

    def rows(self, values: Parameters = ()) -> list[ResultRow]:
        """Run the statement and return its rows; none for one that gives none. Raises Django's database errors."""
        return self.queue(values).rows()

    def queue(self, values: Parameters = ()) -> "PendingResult":
        """Queue the statement, to be sent in the next round trip of this transaction; outside of one run it at once.

        It is for a statement whose result is not needed before the next one is sent. Its errors are raised by the round
        trip that sends it: a later statement's or COMMIT's.
        """
        return self._submit(values, DatabaseWrapper.enqueue)

    def start(self, values: Parameters = ()) -> None:
        """Send the statement and go on while the server executes it; outside of a transaction, wait for it.

        Its errors are raised by the next round trip, as those of ``queue`` are.
        """
        self._submit(values, DatabaseWrapper.start)

    def _submit(
        self, values: Parameters, in_transaction: Callable[[DatabaseWrapper, Command], object]
    ) -> "PendingResult":
        """Submit it in this way in a transaction; outside of one execute it at once, and wait."""
        database = default_database()
        session, command = self._command(database, values)
        submit = in_transaction if database.in_atomic_block else DatabaseWrapper.execute
        submit(database, command)
        return PendingResult(database, session, command)

    def _command(self, database: DatabaseWrapper, values: Parameters) -> "tuple[_Session, Command]":
        """Write the statement as a command, on a connection that is open."""
        database.close_if_health_check_failed()
        database.ensure_connection()
        database.validate_no_broken_transaction()
        if database.queries_logged:
            database.queries_log.append({"sql": self.text.decode(), "time": ""})
        ordered = [values[name] for name in self._names] if isinstance(values, Mapping) else values
        with database.wrap_database_errors:
            session = _session(database)
            given = session.transformer.dump_sequence(ordered, [PyFormat.TEXT] * len(ordered))
        name = self._name if settings.PREPARED_STATEMENTS else b""
        return session, Command(self._numbered, given, name, self._format)


@dataclass(frozen=True, slots=True)
class PendingResult:
    """The result of a statement that was queued, or ran at once."""

    _database: DatabaseWrapper
    _session: "_Session"
    _command: Command

    def rows(self) -> list[ResultRow]:
        """Return the rows, after sending what is still queued. Raises what that raises, and TransactionManagementError
        for a statement that was never run, since what it belonged to failed or was rolled back before.
        """
        if self._command.result is None:
            self._database.sync_pipeline()
        if self._command.result is None:
            raise TransactionManagementError(
                "the statement never ran: what it belonged to failed or was rolled back before"
            )
        with self._database.wrap_database_errors:
            return self._session.rows(self._command.result)

    def row(self) -> ResultRow | None:
        """Return the first row, or None; raises what ``rows`` raises."""
        rows = self.rows()
        return rows[0] if rows else None
