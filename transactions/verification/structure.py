"""Checks of the guards themselves: triggers on, constraints valid, no way around them, no right too many."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from fintech_core.models import ApprovalRequest, AuditRecord
from transactions.models import (
    Adjustment,
    BalanceSnapshot,
    ClosedMonth,
    ExchangeRate,
    FeeRule,
    LedgerAccount,
    LedgerEntry,
    LedgerSeal,
    LimitRule,
    ParkedCredit,
    Transaction,
    Undoing,
    VerificationMark,
)
from transactions.verification.check import MIGRATE, Check
from transactions.verification.extensions import extensions
from wallet.models import Wallet

GUARDED: tuple[type[models.Model], ...] = (
    LedgerAccount, Transaction, LedgerEntry, ParkedCredit, LimitRule, Wallet, AuditRecord, BalanceSnapshot, LedgerSeal,
    ClosedMonth, ApprovalRequest, Adjustment, Undoing, FeeRule, ExchangeRate, VerificationMark,
)  # fmt: skip
APPEND_ONLY = (
    LedgerEntry, AuditRecord, BalanceSnapshot, LedgerSeal, ClosedMonth, FeeRule, LimitRule, ExchangeRate,
    VerificationMark,
)  # fmt: skip
# In the order of the migrations: of a function that was replaced, the newest text counts.
GUARDS = (
    ("transactions", "ledger_triggers.sql"),
    ("transactions", "snapshot_triggers.sql"),
    ("transactions", "wallets_checked_in_bulk.sql"),
    ("transactions", "two_phase_numbers.sql"),
    ("transactions", "seal_triggers.sql"),
    ("transactions", "closed_months.sql"),
    ("transactions", "mark_triggers.sql"),
    ("transactions", "undoing.sql"),
    ("transactions", "openings_and_splits.sql"),
    ("transactions", "requests_keep_their_terms.sql"),
    ("transactions", "parked_credits.sql"),
    ("transactions", "parked_credits_stay.sql"),
    ("fintech_core", "approval_triggers.sql"),
    ("fintech_core", "audit_append_only.sql"),
)

_TRIGGER = re.compile(r"^CREATE (?:CONSTRAINT )?TRIGGER (\w+)\s.*?\sON (\w+)\s", re.MULTILINE | re.DOTALL)
_VARCHAR = re.compile(r"^varchar\b")
_SETTING = re.compile(r"\bSET (\w+) = (\w+)")
_FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)\((.*?)\sAS \$\$(.*?)\$\$;", re.MULTILINE | re.DOTALL
)


def guarded() -> tuple[type[models.Model], ...]:
    """Return the tables under guard: the ledger's own, then those of the apps above it."""
    return GUARDED + tuple(table for extension in extensions().values() for table in extension.tables)


def guards() -> str:
    """Return the SQL that makes the guards, as the migrations run it."""
    theirs = [(app, extension.guards) for app, extension in extensions().items() if extension.guards]
    return "\n".join(_sql_of(app, name) for app, name in [*GUARDS, *theirs])


@cache
def _sql_of(app: str, name: str) -> str:
    folder = Path(apps.get_app_config(app).path) / "migrations" / "sql"
    return (folder / name).read_text(encoding="utf-8")


def _triggers() -> dict[str, Any]:
    found = _TRIGGER.findall(guards())
    return {"names": [name for name, _ in found], "tables": [table for _, table in found]} | _tables()


def _functions() -> dict[str, Any]:
    found = {name: (head, body) for name, head, body in _FUNCTION.findall(guards())}
    return {
        "names": list(found),
        "bodies": [body for _, body in found.values()],
        "settings": [", ".join(sorted(map("=".join, _SETTING.findall(head)))) for head, _ in found.values()],
    }


def _tables() -> dict[str, Any]:
    return {"guarded": [model._meta.db_table for model in guarded()]}


def _constraints() -> dict[str, Any]:
    """Return the names of every CHECK and UNIQUE that the models declare, each with its table."""
    declared = [
        (model._meta.db_table, constraint.name)
        for model in guarded()
        for constraint in model._meta.constraints
        if isinstance(constraint, (models.CheckConstraint, models.UniqueConstraint))
    ]
    return {"tables": [table for table, _ in declared], "names": [name for _, name in declared]}


def _columns() -> dict[str, Any]:
    """Return every column that is unique or a foreign key in the database: table, column, kind, table it refers to."""
    declared = [
        (model._meta.db_table, str(column.column), kind, of)
        for model in guarded()
        for column in model._meta.local_concrete_fields
        for kind, wanted, of in (
            (
                "f",
                isinstance(column, models.ForeignKey) and getattr(column, "db_constraint", True),
                _target(column),
            ),
            ("u", column.unique, None),
        )
        if wanted
    ]
    tables, columns, kinds, targets = ([row[position] for row in declared] for position in range(4))
    return {"tables": tables, "columns": columns, "kinds": kinds, "targets": targets}


def _target(column: "models.Field[Any, Any]") -> str | None:
    other = column.related_model
    return other._meta.db_table if isinstance(other, type) else None


def _types() -> dict[str, Any]:
    """Return every column as its model declares it: table, column, type as PostgreSQL writes it, if it is NOT NULL."""
    declared = [
        (model._meta.db_table, column) for model in guarded() for column in model._meta.local_concrete_fields
    ]
    types = [str(column.db_type(connection)) for _, column in declared]
    return {
        "tables": [table for table, _ in declared],
        "columns": [column.column for _, column in declared],
        "types": [_VARCHAR.sub("character varying", written).replace(", ", ",") for written in types],
        "filled": [not column.null for _, column in declared],
    }


def _role() -> dict[str, Any]:
    append_only = [model._meta.db_table for model in APPEND_ONLY]
    return {"role": settings.DATABASES["default"].get("USER") or "", "append_only": append_only} | _tables()


TRIGGERS = Check(
    "triggers_are_on",
    "A trigger that guards the ledger is missing, switched off, or not one of ours.",
    "trigger",
    """
    SELECT coalesce(given.name, found.tgname) || ' on ' || coalesce(given.tbl, found.tbl) AS key,
           CASE WHEN found.tgname IS NULL THEN 'missing' WHEN given.name IS NULL THEN 'not ours'
                ELSE 'enabled: ' || found.tgenabled::text END AS detail
    FROM unnest(%(names)s::text[], %(tables)s::text[]) given(name, tbl)
    FULL JOIN (SELECT g.tgname::text, g.tgenabled, c.relname::text AS tbl
               FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
               WHERE NOT g.tgisinternal AND c.oid = ANY(%(guarded)s::regclass[])) found
           ON found.tgname = given.name AND found.tbl = given.tbl
    WHERE given.name IS NULL OR found.tgenabled IS DISTINCT FROM 'A'
    """,
    MIGRATE,
    _triggers,
)

FUNCTIONS = Check(
    "trigger_functions_are_ours",
    "A function of the guards is missing or was replaced, or runs with other settings than it was made with.",
    "function",
    # Ours are all plain PL/pgSQL of the caller's rights; one that is not VOLATILE would not see what it has to check.
    """
    SELECT given.name AS key, CASE WHEN p.oid IS NULL THEN 'missing' ELSE 'changed' END
           || coalesce(', runs with ' || nullif(has.settings, ''), '') AS detail
    FROM unnest(%(names)s::text[], %(bodies)s::text[], %(settings)s::text[]) given(name, body, settings)
    LEFT JOIN pg_proc p ON p.oid = to_regproc(given.name)
    LEFT JOIN pg_language l ON l.oid = p.prolang
    CROSS JOIN LATERAL (SELECT coalesce(string_agg(one, ', ' ORDER BY one COLLATE "C"), '')
                        FROM unnest(p.proconfig) one) has(settings)
    WHERE (p.prosrc, has.settings, l.lanname, p.provolatile, p.prosecdef)
          IS DISTINCT FROM (given.body, given.settings, 'plpgsql', 'v', false)
    """,
    MIGRATE,
    _functions,
)

CONSTRAINTS = Check(
    "constraints_are_valid",
    "A constraint of the ledger is missing, not validated or not enforced.",
    "constraint",
    """
    SELECT given.name || ' on ' || given.tbl AS key, 'missing or not valid' AS detail
    FROM unnest(%(tables)s::text[], %(names)s::text[]) given(tbl, name)
    WHERE NOT EXISTS (SELECT FROM pg_constraint c
                      WHERE c.conrelid = to_regclass(given.tbl) AND c.conname = given.name AND c.convalidated
                        AND coalesce((to_jsonb(c)->>'conenforced')::bool, true))
      AND NOT EXISTS (SELECT FROM pg_index i
                      WHERE i.indexrelid = to_regclass(given.name) AND i.indrelid = to_regclass(given.tbl)
                        AND i.indisunique AND i.indisvalid)
    """,
    MIGRATE,
    _constraints,
)

COLUMNS = Check(
    "keys_are_valid",
    "A foreign key or a unique column of the ledger has lost its constraint, or the triggers that enforce it are off.",
    "column",
    """
    SELECT given.tbl || '.' || given.col AS key, CASE given.kind WHEN 'f' THEN 'foreign key' ELSE 'unique' END AS detail
    FROM unnest(%(tables)s::text[], %(columns)s::text[], %(kinds)s::text[], %(targets)s::text[])
         given(tbl, col, kind, target)
    JOIN pg_attribute a ON a.attrelid = to_regclass(given.tbl) AND a.attname = given.col
    WHERE CASE given.kind
          WHEN 'f' THEN NOT EXISTS (SELECT FROM pg_constraint c
                                    WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum]
                                      AND c.confrelid = to_regclass(given.target)
                                      AND c.convalidated AND coalesce((to_jsonb(c)->>'conenforced')::bool, true)
                                      AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = c.oid
                                                        AND g.tgenabled NOT IN ('O', 'A')))
          ELSE NOT EXISTS (SELECT FROM pg_index i
                           WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                             AND i.indkey[0] = a.attnum AND i.indpred IS NULL) END
    """,
    MIGRATE,
    _columns,
)

TYPES = Check(
    "columns_are_as_declared",
    "A column of the ledger is missing, may be empty where it must not, or is of another type than its model says.",
    "column",
    """
    SELECT given.tbl || '.' || given.col AS key,
           CASE WHEN a.attnum IS NULL THEN 'missing'
                ELSE has.type || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || ', not '
                     || given.type || CASE WHEN given.filled THEN ' NOT NULL' ELSE '' END END AS detail
    FROM unnest(%(tables)s::text[], %(columns)s::text[], %(types)s::text[], %(filled)s::bool[])
         given(tbl, col, type, filled)
    LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(given.tbl) AND a.attname = given.col AND NOT a.attisdropped
    CROSS JOIN LATERAL (SELECT format_type(a.atttypid, a.atttypmod)) has(type)
    WHERE (has.type, a.attnotnull) IS DISTINCT FROM (given.type, given.filled)
    """,
    MIGRATE,
    _types,
)

WAYS_AROUND = Check(
    "tables_have_no_way_around",
    "A guarded table has a child table, a rewrite rule or row security, which go around its triggers or hide rows.",
    "table",
    """
    SELECT c.relname AS key, concat_ws(', ', CASE WHEN c.relhassubclass THEN 'child table' END,
               CASE WHEN c.relhasrules THEN 'rewrite rule' END,
               CASE WHEN c.relrowsecurity THEN 'row security' END) AS detail
    FROM pg_class c
    WHERE c.oid = ANY(%(guarded)s::regclass[])
      AND (c.relkind <> 'r' OR c.relrowsecurity
           OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
           OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid))
    """,
    MIGRATE,
    _tables,
)

RIGHTS = Check(
    "application_cannot_rewrite_history",
    "The application's role may change or remove rows that are append-only, or empty a guarded table.",
    "table",
    """
    SELECT c.relname AS key, 'has ' || string_agg(p.name, ', ') AS detail
    FROM pg_roles r, pg_class c, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) p(name)
    WHERE r.rolname = %(role)s AND NOT r.rolsuper
      AND c.oid = ANY(%(guarded)s::regclass[]) AND NOT pg_has_role(r.oid, c.relowner, 'USAGE')
      AND (c.relname = ANY(%(append_only)s) OR p.name IN ('TRUNCATE', 'TRIGGER'))
      AND (has_table_privilege(r.oid, c.oid, p.name)
           OR p.name = 'UPDATE' AND has_any_column_privilege(r.oid, c.oid, 'UPDATE'))
    GROUP BY c.relname
    """,
    MIGRATE,
    _role,
)

# Whether the role that the application uses also owns the tables, so that its rights say nothing.
ONE_ROLE = """
    SELECT count(*) > 0 FROM pg_roles r, pg_class c
    WHERE r.rolname = %(role)s AND c.oid = ANY(%(guarded)s::regclass[])
      AND (r.rolsuper OR pg_has_role(r.oid, c.relowner, 'USAGE'))
"""

CHECKS = (TRIGGERS, FUNCTIONS, CONSTRAINTS, COLUMNS, TYPES, WAYS_AROUND, RIGHTS)
role_parameters = _role
