"""Running every check over one snapshot, with the work done by the server.

The snapshot is a read-only transaction of isolation REPEATABLE READ, so that postings which go on meanwhile are
either seen whole or not at all. Only what is wrong crosses the wire.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from fintech_core import clock
from fintech_core.money import format_as_stored
from transactions.models import LedgerSeal
from transactions.sealing.publishing import Head
from transactions.verification import (
    bulk,
    chart_rules,
    definitions,
    documents,
    entries,
    incremental_queries,
    movements,
    numbers,
    parked,
    proven,
    seals,
    snapshots,
    structure,
    wallets,
)  # fmt: skip
from transactions.verification.check import Broken, Check, Rule, collect, finding_of
from transactions.verification.combined_passes import CombinedPasses
from transactions.verification.extensions import extensions
from transactions.verification.incremental_queries import Since
from transactions.verification.report import CurrencyTotals, Finding, Report, Totals

CHECKS: tuple[Check, ...] = (
    *entries.CHECKS, *movements.CHECKS, *wallets.CHECKS, *parked.CHECKS, *bulk.CHECKS,
    *numbers.CHECKS, *snapshots.CHECKS,
    *documents.CHECKS, *chart_rules.CHECKS, *structure.CHECKS,
)  # fmt: skip
# Proven by code, in every run; those of ``seals`` come to them where seals are asked for.
RULES: tuple[Rule, ...] = (*definitions.RULES, *proven.RULES)
# A whole ledger is read, much of it in the order of an index, whose pages lie as the tables' do: nothing is random.
SETTINGS = {"work_mem": "64MB", "random_page_cost": "1.1"}


def every_check() -> tuple[Check, ...]:
    """Return the ledger's checks, then those that apps above it have registered."""
    return CHECKS + tuple(check for extension in extensions().values() for check in extension.checks)


Progress = Callable[[int, int, str], None]

_COUNTS = """
    SELECT (SELECT count(*) FROM transactions_ledgerentry), (SELECT count(*) FROM transactions_transaction),
           (SELECT count(*) FROM wallet_wallet)
"""
_CURRENCIES = """
    SELECT currency, sum(lines)::bigint, sum(debits), sum(credits), sum(balance), sum(held), sum(parked)
    FROM (
        SELECT currency, count(*) AS lines, coalesce(sum(amount) FILTER (WHERE direction = 'debit'), 0) AS debits,
               coalesce(sum(amount) FILTER (WHERE direction = 'credit'), 0) AS credits,
               0 AS balance, 0 AS held, 0 AS parked
        FROM transactions_ledgerentry GROUP BY currency
        UNION ALL
        SELECT currency, 0, 0, 0, sum(balance), sum(held), 0 FROM wallet_wallet GROUP BY currency
        UNION ALL
        SELECT currency, 0, 0, 0, 0, 0, sum(amount) FROM transactions_parkedcredit
        WHERE status = 'parked' GROUP BY currency
    ) part
    GROUP BY currency ORDER BY currency
"""


def verify(
    *,
    using: str = "default",
    progress: Progress | None = None,
    with_seals: bool = False,
    published: Iterable[Head] = (),
    since: Since | None = None,
    proven_seal: LedgerSeal | None = None,
    combined: bool = True,
) -> Report:
    """Re-prove the whole ledger and return what was found; changes nothing.

    Runs in a snapshot of its own, or inside the caller's transaction if there is one and then sees what that sees.
    ``progress`` is called before each check with its number, how many there are, and its code. ``with_seals`` proves
    the chain of seals and the rows under it, too, against the heads that were ``published``; that what our marks name
    is still there is proven always. ``since`` asks of what is new after it alone, ``proven_seal`` is the last seal
    whose rows need not be read again. Without ``combined`` each rule is asked by its own query, which finds the same
    and takes longer. Raises DatabaseError when the database does not answer; an empty report is never the result of a
    check that did not run.
    """
    checks, checked_at, started = every_check(), clock.now(), time.monotonic()
    count = len(checks) + len({*RULES, *(seals.RULES if with_seals else ())})
    findings: list[Finding] = []
    broken: Counter[str] = Counter()
    with _snapshot(using) as cursor:
        passes = CombinedPasses(cursor) if combined and since is None else None
        for number, check in enumerate(checks, start=1):
            if progress is not None:
                progress(number, count, check.code)
            if passes is not None and passes.proves(check):
                continue
            listed, rows = _run(cursor, check, since)
            findings += listed
            if rows:
                broken[check.code] = rows
        claimed = [definitions.examine(cursor), proven.examine(using)]
        if with_seals:
            claimed.append(_seals(cursor, using, published, proven_seal, progress, count))
        listed, counts = collect(chain.from_iterable(claimed))
        findings += listed
        broken += counts
        totals = _totals(cursor, since)
        notes = _notes(cursor)
    return Report(
        checked_at, round(time.monotonic() - started, 3), count, totals, tuple(findings), dict(broken), notes
    )


def _seals(
    cursor: CursorWrapper,
    using: str,
    published: Iterable[Head],
    proven: LedgerSeal | None,
    progress: Progress | None,
    count: int,
) -> Iterator[Broken]:
    """Examine the chain, telling how far it came."""

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress(count, count, f"seals: {done} of {total} entries")

    rows = (
        LedgerSeal.objects.using(using).filter(number__gt=proven.number if proven else 0).order_by("number")
    )
    return seals.examine(cursor, rows, published=published, verified=proven, told=told)


@contextmanager
def _snapshot(using: str) -> Iterator[CursorWrapper]:
    connection = connections[using]
    if connection.in_atomic_block:
        with connection.cursor() as cursor:
            yield cursor
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # The time-outs of the application's role are made for requests; a whole ledger takes as long as it takes.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        for name, value in SETTINGS.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
        yield cursor


def _run(cursor: CursorWrapper, check: Check, since: Since | None) -> tuple[list[Finding], int]:
    """Return the first rows that break the rule, and how many there are."""
    cursor.execute(*incremental_queries.query(check, since))
    rows = cursor.fetchall()
    listed = [finding_of(check, key, detail) for key, detail, _ in rows]
    return listed, rows[0][2] if rows else 0


def _totals(cursor: CursorWrapper, since: Since | None) -> Totals:
    """Count what was looked at."""
    prefix, given = (incremental_queries.BOOKS, since.parameters) if since else ("", {})
    cursor.execute(prefix + _COUNTS, given)
    counts = cursor.fetchone() or (0, 0, 0)
    cursor.execute(prefix + _CURRENCIES, given)
    currencies = tuple(
        CurrencyTotals(currency, lines, *(format_as_stored(amount, currency) for amount in amounts))
        for currency, lines, *amounts in cursor.fetchall()
    )
    return Totals(counts[0], counts[1], counts[2], currencies)


def _notes(cursor: CursorWrapper) -> tuple[str, ...]:
    cursor.execute(structure.ONE_ROLE, structure.role_parameters())
    row = cursor.fetchone()
    if row and row[0]:
        return ("The application uses the role that owns the tables: only triggers guard the ledger.",)
    return ()
