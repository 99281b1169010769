"""What carries the right name must also say the right thing: CHECKs, UNIQUEs and triggers against what made them.

PostgreSQL gives back its own wording, with casts and brackets of its own that differ by version. So both texts are
brought to their words in order, casts left out, and to what AND and OR join; quoted texts stay as they are.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from transactions.verification import structure
from transactions.verification.check import MIGRATE, Broken, Rule

OURS: Final = Rule(
    "definitions_are_ours",
    "A constraint, unique index or trigger of the ledger has kept its name, and is not what the migrations made.",
    "definition",
    MIGRATE,
)
RULES: Final = (OURS,)

Meaning = str | tuple["Meaning", ...]

_CHECKS: Final = """
    SELECT t.relname::text, c.conname::text, pg_get_expr(c.conbin, c.conrelid)
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
    WHERE c.contype = 'c' AND c.convalidated AND c.conrelid = ANY(%(guarded)s::regclass[])
"""
_UNIQUE: Final = """
    SELECT t.relname::text, x.relname::text, pg_get_indexdef(i.indexrelid),
           ARRAY(SELECT coalesce(a.attname::text, 'an expression') FROM generate_series(0, i.indnkeyatts - 1) place
                 LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place] ORDER BY place),
           pg_get_expr(i.indpred, i.indrelid), coalesce((to_jsonb(i)->>'indnullsnotdistinct')::bool, false),
           i.indimmediate
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisunique AND i.indisvalid AND i.indrelid = ANY(%(guarded)s::regclass[])
"""
_TRIGGERS: Final = """
    SELECT t.relname::text, g.tgname::text, pg_get_triggerdef(g.oid)
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgrelid = ANY(%(guarded)s::regclass[])
"""

_CAST = re.compile(
    r"::(?:character varying|timestamp with(?:out)? time zone|\w+)(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*"
)
_ROWS_DIFFER = re.compile(r"\(\(([\w.,\s]+)\)\s+IS DISTINCT FROM\s+\(([\w.,\s]+)\)\)")
_WORD = re.compile(r"'(?:[^']|'')*'|[a-z_][\w.]*|\d+(?:\.\d+)?|[()]|[^\s\w(),'\"\[\]]+", re.IGNORECASE)
_TRIGGER = re.compile(
    r"^CREATE (CONSTRAINT )?TRIGGER (\w+)\s+(BEFORE|AFTER)\s+(.*?)\s+ON (?:public\.)?(\w+)\s+(.*?)(?:;|\Z)",
    re.MULTILINE | re.DOTALL,
)


def examine(cursor: CursorWrapper) -> Iterator[Broken]:
    """Yield every definition that is another one. One that is missing, or not valid, is for ``structure``."""
    yield from _checks(cursor)
    yield from _uniques(cursor)
    yield from _triggers(cursor)


def meaning(sql: str) -> Meaning:
    """Return the words of an expression, and what AND and OR join, whatever comes first of it."""
    text = _CAST.sub("", _ROWS_DIFFER.sub(_each_differs, sql))
    text = re.sub(r"\bIN \(", "= ANY (", re.sub(r"\bNOT IN \(", "<> ALL (", text))
    found = [word if word.startswith("'") else word.lower() for word in _WORD.findall(text)]
    return _chain([word for word in reversed(found) if word != "array"], ("or", "and"))


def _each_differs(rows: re.Match[str]) -> str:
    """Write the comparison of two rows out, as PostgreSQL does."""
    left, right = (side.split(",") for side in rows.groups())
    return f"({' OR '.join(f'{a} IS DISTINCT FROM {b}' for a, b in zip(left, right, strict=True))})"


def _chain(words: list[str], joints: Sequence[str]) -> Meaning:
    """Take what is joined by the first joint, each part by the next ones, off the end of ``words``."""
    if not joints:
        return _term(words)
    parts: list[Meaning] = []
    while True:
        part = _chain(words, joints[1:])
        same = isinstance(part, tuple) and part[0] == joints[0]
        parts += part[1:] if same else [part]
        if not words or words[-1] != joints[0]:
            return parts[0] if len(parts) == 1 else (joints[0], *sorted(parts, key=repr))
        words.pop()


def _term(words: list[str]) -> Meaning:
    """Take words up to a joint or a closing bracket; brackets without a joint inside say nothing."""
    parts: list[Meaning] = []
    while words and words[-1] not in ("and", "or", ")"):
        word = words.pop()
        if word != "(":
            parts.append(word)
            continue
        parts.append(_chain(words, ("or", "and")))
        if words:
            words.pop()
    if len(parts) == 1:
        return parts[0]
    return " ".join(part if isinstance(part, str) else repr(part) for part in parts)


def _declared(kind: type[models.BaseConstraint]) -> Iterator[tuple[type[models.Model], Any]]:
    for model in structure.guarded():
        yield from ((model, rule) for rule in model._meta.constraints if isinstance(rule, kind))


def _rows(cursor: CursorWrapper, query: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return what is there by table and name."""
    cursor.execute(query, {"guarded": [model._meta.db_table for model in structure.guarded()]})
    return {(row[0], row[1]): row[2:] for row in cursor.fetchall()}


def _checks(cursor: CursorWrapper) -> Iterator[Broken]:
    """Compare each CHECK with the condition that its model declares; those that a type brings along have any name."""
    found, editor = _rows(cursor, _CHECKS), connection.schema_editor()
    for model, rule in _declared(models.CheckConstraint):
        (now,) = found.get((model._meta.db_table, rule.name), (None,))
        declared = str(rule.constraint_sql(model, editor)).partition(" CHECK ")[2]
        if now is not None and meaning(now) != meaning(declared):
            yield OURS, f"{rule.name} on {model._meta.db_table}", f"checks {now}"
    there = {(table, meaning(now)) for (table, _), (now,) in found.items()}
    for model in structure.guarded():
        for column in model._meta.local_concrete_fields:
            wanted = column.db_parameters(connection)["check"]
            if wanted and (model._meta.db_table, meaning(wanted)) not in there:
                yield OURS, f"{column.column} on {model._meta.db_table}", f"nothing checks {wanted}"


def _uniques(cursor: CursorWrapper) -> Iterator[Broken]:
    """Compare each UNIQUE by its columns in their order, the rows that it is about, and what it makes of NULL."""
    found, editor = _rows(cursor, _UNIQUE), connection.schema_editor()
    for model, rule in _declared(models.UniqueConstraint):
        now = found.get((model._meta.db_table, rule.name))
        condition = str(rule.create_sql(model, editor)).partition(" WHERE ")[2]
        columns = [str(getattr(model._meta.get_field(name), "column", name)) for name in rule.fields]
        declared = (columns, meaning(condition), rule.nulls_distinct is False, rule.deferrable is None)
        if now is not None and (now[1], meaning(now[2] or ""), *now[3:]) != declared:
            yield OURS, f"{rule.name} on {model._meta.db_table}", f"is {now[0]}"


def _triggers(cursor: CursorWrapper) -> Iterator[Broken]:
    """Compare each trigger with the newest statement of the migrations that makes it."""
    found = _rows(cursor, _TRIGGERS)
    made = {(parts[4], parts[1]): _trigger(parts) for parts in _TRIGGER.findall(structure.guards())}
    for (table, name), declared in made.items():
        (now,) = found.get((table, name), (None,))
        if now is not None and [_trigger(parts) for parts in _TRIGGER.findall(now)] != [declared]:
            yield OURS, f"{name} on {table}", f"is {now}"


def _trigger(parts: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what a trigger is: its timing, its events in no order, its table, and what it runs when."""
    constraint, name, timing, events, table, rest = parts
    # In which order events and columns are named says nothing, and PostgreSQL writes events in one of its own.
    asked = sorted(sorted(_WORD.findall(event)) for event in re.split(r"\s+OR\s+", events))
    return bool(constraint), name, timing, asked, table, meaning(rest)
