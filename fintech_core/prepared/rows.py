"""Rows of models, read by key and written anew, by statements that Django composes once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError
from psycopg import sql

from fintech_core.database.base import default_database
from fintech_core.prepared.statements import PendingResult, Statement

Row = TypeVar("Row", bound=Model)


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
        return self.queue(**values).first()

    def queue(self, **values: UUID | str) -> "PendingRow[Row]":
        """Queue the read, to be sent in the next round trip of this transaction; raises what ``first`` raises."""
        if values.keys() != self._samples.keys():
            raise TypeError(f"the places are {sorted(self._samples)}, the values {sorted(values)}")
        if self._composed is None:
            self._composed = _Composed.of(self._compose(**self._samples), self._samples)
        composed = self._composed
        if composed.locks and not default_database().in_atomic_block:
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        parameters = [values[name] if name else constant for name, constant in composed.parameters]
        return PendingRow(composed, composed.statement.queue(parameters))


@dataclass(frozen=True, slots=True)
class PendingRow(Generic[Row]):
    """The row of a read that was queued, or ran at once."""

    _composed: "_Composed"
    _result: PendingResult

    def first(self) -> Row | None:
        """Return it, or None; raises what ``PendingResult.rows`` raises."""
        row = self._result.row()
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

    In a transaction the write is queued, and its errors are raised by the next round trip.
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

    def queue(self, **values: object) -> PendingResult:
        """Queue the write of the row; every field that was named needs its value."""
        parameters = [
            values.pop(name) if prepare is None else prepare(values.pop(name), connection)
            for name, prepare in self._fields
        ]
        if values:
            raise TypeError(f"no place for {sorted(values)}")
        return self._statement.queue(parameters)


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
