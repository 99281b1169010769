"""Statements that are prepared: composed once by us, planned once by PostgreSQL.

Django composes the SQL of a query anew each time and sends the values inside its text, so the server parses and plans
it anew, too. For a read by key all that takes several times as long as the read. What stands on the path of every money
movement goes through here instead; the rest of the code has no need of it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Final, Generic, LiteralString, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import psycopg
import psycopg.abc
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError
from psycopg import sql
from psycopg.adapt import AdaptersMap, Loader, PyFormat, Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from fintech_core.database.base import DatabaseWrapper, default_database
from fintech_core.libpq import Message

Row = TypeVar("Row", bound=Model)
Parameters = Mapping[str, object] | Sequence[object]
Answer = tuple[Any, ...]
_PLACE: Final = re.compile(rb"%%|%s|%\((\w+)\)s")
_numbers: Final = count(1)


def as_json_rows(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as one parameter for ``json_to_recordset``; the keys are the columns that the statement names.

    To adapt an array for each column takes several times as long. What JSON has no word for goes in as its ``str``,
    which PostgreSQL reads.
    """
    return orjson.dumps(rows, default=str).decode()


def as_array(values: Iterable[UUID]) -> str:
    """Write UUIDs as one parameter for ``%s::uuid[]``. They need no quotes, which psycopg looks for in each of them."""
    return "{" + ",".join(map(str, values)) + "}"


@dataclass(frozen=True, slots=True)
class _Session:
    """How values are written and read in one session with the server."""

    connection: "psycopg.Connection[Any]"
    transformer: "psycopg.abc.Transformer"

    def rows(self, result: PGresult) -> list[Answer]:
        """Read the rows of a result."""
        self.transformer.set_pgresult(result)
        return self.transformer.load_rows(0, result.ntuples, tuple)


class _InstantLoader(Loader):
    """Read an instant by Python's own parser, which is several times as fast as the loader that Django registers."""

    def load(self, data: "psycopg.abc.Buffer") -> datetime:
        """Return it, aware, with the offset that the server wrote: UTC."""
        return datetime.fromisoformat(str(data, "ascii"))


@dataclass(frozen=True, slots=True)
class _Adapting:
    """How psycopg adapts values on a connection, with a loader of our own."""

    connection: "psycopg.Connection[Any]"
    adapters: AdaptersMap

    @classmethod
    def on(cls, connection: "psycopg.Connection[Any]") -> "_Adapting":
        adapters = AdaptersMap(connection.adapters)
        adapters.register_loader("timestamptz", _InstantLoader)
        return cls(connection, adapters)


# By Django's connections, which connect anew now and then. A session names the connection of psycopg that it is for:
# kept by that one it would keep it for good.
_sessions: "WeakKeyDictionary[DatabaseWrapper, _Session]" = WeakKeyDictionary()


def _session(database: DatabaseWrapper) -> _Session:
    session = _sessions.get(database)
    if session is None or session.connection is not database.connection:
        session = _Session(database.connection, Transformer(_Adapting.on(database.connection)))
        _sessions[database] = session
    return session


class Statement:
    """One statement, with ``%s`` or ``%(name)s`` for values, which a session learns when it first runs there.

    It runs on Django's connection, in the transaction that is open there, and raises Django's database errors. It asks
    libpq to run it and wait, which takes a third of the time that a cursor of psycopg takes; the wait lets other
    threads run. What waits on the connection, and a BEGIN that is due, goes with it in one round trip. Values are
    adapted as psycopg's cursors adapt them. ``binary`` lets the server answer in its binary form, which is read faster;
    Django's converters of JSON and of network addresses expect the other.
    """

    def __init__(self, text: LiteralString | bytes, *, binary: bool = False) -> None:
        self.text = text if isinstance(text, bytes) else text.encode()
        self._format = Format.BINARY if binary else Format.TEXT
        self._key = b"fintech_core_%d" % next(_numbers)
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

    def row(self, values: Parameters = ()) -> Answer | None:
        """Run the statement and return its first row, or None."""
        return self.send(values).row()

    def rows(self, values: Parameters = ()) -> list[Answer]:
        """Run the statement and return its rows; none for one that gives none. Raises Django's database errors."""
        return self.send(values).rows()

    def send(self, values: Parameters = ()) -> "Reply":
        """Let the statement run with what is said next in this transaction, before it; outside of one at once.

        It is for a statement whose answer is not needed before the next one is asked. Its own errors are raised there:
        by a later statement or by COMMIT.
        """
        database = default_database()
        session, message = self._message(database, values)
        if database.in_atomic_block:
            database.say_with_next(message)
        else:
            database.say(message)
        return Reply(database, session, message)

    def start(self, values: Parameters = ()) -> None:
        """Let the statement begin to run, and go on while the server works at it; outside of a transaction, wait.

        Its errors are raised by what is said next, as those of ``send`` are.
        """
        database = default_database()
        _, message = self._message(database, values)
        if database.in_atomic_block:
            database.start(message)
        else:
            database.say(message)

    def _message(self, database: DatabaseWrapper, values: Parameters) -> "tuple[_Session, Message]":
        """Write the statement as a message, on a connection that is open."""
        database.close_if_health_check_failed()
        database.ensure_connection()
        database.validate_no_broken_transaction()
        if database.queries_logged:
            database.queries_log.append({"sql": self.text.decode(), "time": ""})
        ordered = [values[name] for name in self._names] if isinstance(values, Mapping) else values
        with database.wrap_database_errors:
            session = _session(database)
            given = session.transformer.dump_sequence(ordered, [PyFormat.TEXT] * len(ordered))
        key = self._key if settings.PREPARED_STATEMENTS else b""
        return session, Message(self._numbered, given, key, self._format)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a statement will have answered that was sent along with others."""

    _database: DatabaseWrapper
    _session: "_Session"
    _message: Message

    def rows(self) -> list[Answer]:
        """Return the rows, after sending what still waits. Raises what that raises, and TransactionManagementError
        for a statement that was never run, since what it belonged to failed or was rolled back before.
        """
        if self._message.result is None:
            self._database.say_what_waits()
        if self._message.result is None:
            raise TransactionManagementError(
                "the statement never ran: what it belonged to failed or was rolled back before"
            )
        return self._session.rows(self._message.result)

    def row(self) -> Answer | None:
        """Return the first row, or None; raises what ``rows`` raises."""
        rows = self.rows()
        return rows[0] if rows else None


class PreparedRead(Generic[Row]):
    """One row by key: a query set that Django composes once, with places for the values that change.

    ``compose`` is called once with the samples, which are of the type of the real values and stand nowhere else in the
    query. Related rows (``select_related``), locks and the converters of fields work as always::

        _BY_EMAIL = PreparedRead(lambda email: User.objects.filter(email=email), email="sample")
        user = _BY_EMAIL.first(email="ada@example.com")
    """

    def __init__(self, compose: Callable[..., "QuerySet[Row]"], **samples: UUID | str) -> None:
        self._compose = compose
        self._samples = samples
        self._composed: _Composed | None = None

    def first(self, **values: UUID | str) -> Row | None:
        """Return the row, or None. A read that locks raises TransactionManagementError outside a transaction."""
        return self.send(**values).first()

    def send(self, **values: UUID | str) -> "RowReply[Row]":
        """Let the row be read with what is said next in this transaction; raises what ``first`` raises."""
        if values.keys() != self._samples.keys():
            raise TypeError(f"the places are {sorted(self._samples)}, the values {sorted(values)}")
        if self._composed is None:
            self._composed = _Composed.of(self._compose(**self._samples), self._samples)
        composed = self._composed
        if composed.locks and not default_database().in_atomic_block:
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        parameters = [values[name] if name else constant for name, constant in composed.parameters]
        return RowReply(composed, composed.statement.send(parameters))


@dataclass(frozen=True, slots=True)
class RowReply(Generic[Row]):
    """The row that a read sent along with others will have found."""

    _composed: "_Composed"
    _reply: Reply

    def first(self) -> Row | None:
        """Return it, or None; raises what ``Reply.rows`` raises."""
        row = self._reply.row()
        found: Row | None = None if row is None else self._composed.instance(list(row))
        return found


# Fields of which psycopg takes a value as it is; others convert it, or encrypt it.
_TAKEN_AS_IT_IS: Final = frozenset(
    {
        models.CharField,
        models.DateTimeField,
        models.PositiveSmallIntegerField,
        models.TextField,
        models.UUIDField,
    }
)


class PreparedInsert:
    """One new row of a model with the given fields, each converted by its field; nothing is read back.

    In a transaction the row is written with what is said next there, and its errors are raised then.
    """

    def __init__(self, model: type[Model], *names: str) -> None:
        by_name = {field.name: field for field in model._meta.concrete_fields}
        fields = [by_name[name] for name in names]
        self._fields = [
            (field.name, None if type(field) in _TAKEN_AS_IT_IS else field.get_db_prep_save)
            for field in fields
        ]
        self._statement = Statement(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})")
            .format(
                sql.Identifier(model._meta.db_table),
                sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in fields),
                sql.SQL(", ").join(sql.Placeholder() for _ in fields),
            )
            .as_bytes()
        )

    def send(self, **values: object) -> Reply:
        """Write the row; every field that was named needs its value."""
        parameters = [
            values.pop(name) if prepare is None else prepare(values.pop(name), connection)
            for name, prepare in self._fields
        ]
        if values:
            raise TypeError(f"no place for {sorted(values)}")
        return self._statement.send(parameters)


@dataclass(frozen=True, slots=True)
class _Composed:
    """The SQL of a query set, and how a row of its answer becomes an instance (as ``ModelIterable`` does it)."""

    statement: Statement
    parameters: tuple[tuple[str, object], ...]  # the name of a place, or "" and what stands there
    locks: bool
    model: type[Model]
    first_column: int
    names: list[str]
    related: list[Any]
    converters: dict[int, Any]

    @classmethod
    def of(cls, queryset: "QuerySet[Any]", samples: Mapping[str, UUID | str]) -> "_Composed":
        compiler = queryset[:1].query.get_compiler(using=DEFAULT_DB_ALIAS)
        statement, values = compiler.as_sql()
        places = {sample: name for name, sample in samples.items()}
        parameters = tuple((places.get(value, ""), value) for value in values)
        if {name for name, _ in parameters if name} != samples.keys():
            raise ImproperlyConfigured(f"not every sample of {sorted(samples)} stands in {statement}")
        columns = compiler.klass_info["select_fields"]
        return cls(
            Statement(statement.encode()),
            parameters,
            bool(queryset.query.select_for_update),
            compiler.klass_info["model"],
            columns[0],
            [compiler.select[column][0].target.attname for column in columns],
            get_related_populators(  # type: ignore[call-arg]  # the stubs are a version ahead
                compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS
            ),
            compiler.get_converters([expression for expression, _, _ in compiler.select]),
        )

    def instance(self, row: list[Any]) -> Any:
        for position, (converters, expression) in self.converters.items():
            for convert in converters:
                row[position] = convert(row[position], expression, connection)
        own = row[self.first_column : self.first_column + len(self.names)]
        made = self.model.from_db(DEFAULT_DB_ALIAS, self.names, own)
        for related in self.related:
            related.populate(row, made)
        return made
