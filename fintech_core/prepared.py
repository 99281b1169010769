"""Statements that are prepared: composed once by us, planned once by PostgreSQL.

Django composes the SQL of a query anew each time and sends the values inside its text, so the server parses and plans
it anew, too. For a read by key all that takes several times as long as the read. What stands on the path of every money
movement goes through here instead; the rest of the code has no need of it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, LiteralString, TypeVar
from uuid import UUID

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError
from psycopg import sql

Row = TypeVar("Row", bound=Model)
Parameters = Mapping[str, object] | Sequence[object]
# Rows as one parameter, for ``json_to_recordset``: to adapt an array for each column takes several times as long. Keys
# are the columns that the statement names; whatever JSON has no word for goes in as the text that PostgreSQL reads.
as_json_rows: Final = json.JSONEncoder(
    default=str, ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode


@contextmanager
def prepared(
    statement: LiteralString | bytes, parameters: Parameters = ()
) -> Iterator["psycopg.Cursor[Any]"]:
    """Run a statement on Django's connection, in the transaction that is open there, and give its cursor.

    The connection is opened and checked as by ``connection.cursor()``. Raises Django's database errors.
    """
    connection.validate_no_broken_transaction()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if connection.queries_logged:
        text = statement.decode() if isinstance(statement, bytes) else statement
        connection.queries_log.append({"sql": text, "time": ""})
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        yield cursor


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
        if values.keys() != self._samples.keys():
            raise TypeError(f"the places are {sorted(self._samples)}, the values {sorted(values)}")
        if self._composed is None:
            self._composed = _Composed.of(self._compose(**self._samples), self._samples)
        composed = self._composed
        if composed.locks and not connection.in_atomic_block:
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        parameters = [values[name] if name else constant for name, constant in composed.parameters]
        with prepared(composed.statement, parameters) as cursor:
            row = cursor.fetchone()
        found: Row | None = None if row is None else composed.instance(list(row))
        return found


class PreparedInsert:
    """One new row of a model with the given fields, each converted by its field; nothing is read back."""

    def __init__(self, model: type[Model], *names: str) -> None:
        fields = {field.name: field for field in model._meta.concrete_fields}
        self._fields = [fields[name] for name in names]
        self._statement = (
            sql.SQL("INSERT INTO {} ({}) VALUES ({})")
            .format(
                sql.Identifier(model._meta.db_table),
                sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in self._fields),
                sql.SQL(", ").join(sql.Placeholder() for _ in self._fields),
            )
            .as_bytes()
        )

    def run(self, **values: object) -> None:
        """Write the row; every field that was named needs its value. Raises IntegrityError and the like."""
        parameters = [field.get_db_prep_save(values.pop(field.name), connection) for field in self._fields]
        if values:
            raise TypeError(f"no place for {sorted(values)}")
        with prepared(self._statement, parameters):
            """It is written."""


@dataclass(frozen=True, slots=True)
class _Composed:
    """The SQL of a query set, and how a row of its answer becomes an instance (as ``ModelIterable`` does it)."""

    statement: bytes
    parameters: tuple[tuple[str, object], ...]  # the name of a place, or "" and what stands there
    locks: bool
    model: type[Model]
    first_column: int
    names: list[str]
    related: list[Any]
    converters: dict[int, Any]

    @classmethod
    def of(cls, queryset: "QuerySet[Any]", samples: Mapping[str, UUID | str]) -> "_Composed":
        compiler = queryset[:1].query.get_compiler(using=connection.alias)
        statement, values = compiler.as_sql()
        places = {sample: name for name, sample in samples.items()}
        parameters = tuple((places.get(value, ""), value) for value in values)
        if {name for name, _ in parameters if name} != samples.keys():
            raise ImproperlyConfigured(f"not every sample of {sorted(samples)} stands in {statement}")
        columns = compiler.klass_info["select_fields"]
        return cls(
            statement.encode(),
            parameters,
            bool(queryset.query.select_for_update),
            compiler.klass_info["model"],
            columns[0],
            [compiler.select[column][0].target.attname for column in columns],
            get_related_populators(  # type: ignore[call-arg]  # the stubs are a version ahead
                compiler.klass_info, compiler.select, connection.alias
            ),
            compiler.get_converters([expression for expression, _, _ in compiler.select]),
        )

    def instance(self, row: list[Any]) -> Any:
        for position, (converters, expression) in self.converters.items():
            for convert in converters:
                row[position] = convert(row[position], expression, connection)
        own = row[self.first_column : self.first_column + len(self.names)]
        made = self.model.from_db(connection.alias, self.names, own)
        for related in self.related:
            related.populate(row, made)
        return made
