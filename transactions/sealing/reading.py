"""A range of the journal as canonical lines, in the one order in which it is hashed and exported.

Each entry in the order of its id; before it the facts of its transaction, unless the entry before was of the same one;
after a wallet's first entry the facts of that wallet. Then holds as they were made, each with its fee, those that ended
without entries as they ended, and wallets as they were opened, by their numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from transactions.sealing import canonical

PAGE: Final = 2_000


def _columns(table: str, names: Sequence[str]) -> str:
    """Name columns of a table. Those of type jsonb and uuid as text: as objects they would be read to be written."""
    return ", ".join(
        "a.code"
        if name == "account"
        else f"{table}.{name}::text"
        if name == "metadata" or name.endswith("_id") or (name == "id" and table != "e")
        else f"{table}.{name}"
        for name in names
    )


# The page first, then what belongs to it by key: whatever the statistics say, a page costs the same in a large table.
_ENTRIES: Final = f"""
    WITH page AS MATERIALIZED (
        SELECT * FROM transactions_ledgerentry WHERE id > %s AND id <= %s ORDER BY id LIMIT {PAGE}
    )
    SELECT {_columns("e", canonical.ENTRY)}, {_columns("t", canonical.TRANSACTION)},
           {_columns("w", canonical.WALLET)}
    FROM page e
    LEFT JOIN transactions_ledgeraccount a ON a.id = e.account_id
    LEFT JOIN transactions_transaction t ON t.id = e.transaction_id
    LEFT JOIN wallet_wallet w ON w.id = e.wallet_id AND e.wallet_version = 1
    ORDER BY e.id
"""  # noqa: S608  column names of this package
_HOLDS: Final = f"""
    SELECT t.hold_number, {_columns("t", canonical.HOLD)}, t.hold_fee FROM transactions_transaction t
    WHERE t.hold_number > %s AND t.hold_number <= %s ORDER BY t.hold_number LIMIT {PAGE}
"""  # noqa: S608
_ENDS: Final = f"""
    SELECT t.end_number, {_columns("t", canonical.TRANSACTION)} FROM transactions_transaction t
    WHERE t.end_number > %s AND t.end_number <= %s ORDER BY t.end_number LIMIT {PAGE}
"""  # noqa: S608
_OPENINGS: Final = f"""
    SELECT w.opening_number, {_columns("w", canonical.OPENING)} FROM wallet_wallet w
    WHERE w.opening_number > %s AND w.opening_number <= %s ORDER BY w.opening_number LIMIT {PAGE}
"""  # noqa: S608
_ENTRY_WIDTH: Final = len(canonical.ENTRY)
_WALLET_AT: Final = _ENTRY_WIDTH + len(canonical.TRANSACTION)
_VERSION_AT: Final = canonical.ENTRY.index("wallet_version")


@dataclass(frozen=True, slots=True)
class Range:
    """The entries and holds after the first bounds, through the second ones."""

    after_entry: int
    through_entry: int
    after_hold: int
    through_hold: int


@dataclass(slots=True)
class Tally:
    """How many facts a reading met."""

    entries: int = 0
    holds: int = 0


def lines(cursor: CursorWrapper, of: Range, tally: Tally) -> Iterator[bytes]:
    """Yield the canonical lines of a range and count them; reads page by page, each a short statement."""
    yield from _entries(cursor, of, tally)
    yield from _holds(cursor, of, tally)
    for row in _pages(cursor, _ENDS, of.after_hold, of.through_hold):
        tally.holds += 1
        yield canonical.line("end", row[1:])
    for row in _pages(cursor, _OPENINGS, of.after_hold, of.through_hold):
        yield canonical.line("opening", row[1:])


def _entries(cursor: CursorWrapper, of: Range, tally: Tally) -> Iterator[bytes]:
    told = None
    for row in _pages(cursor, _ENTRIES, of.after_entry, of.through_entry):
        transaction_id = row[1]
        if transaction_id != told:
            yield canonical.line("transaction", row[_ENTRY_WIDTH:_WALLET_AT])
            told = transaction_id
        yield canonical.line("entry", row[:_ENTRY_WIDTH])
        if row[_VERSION_AT] == 1:
            yield canonical.line("wallet", row[_WALLET_AT:])
        tally.entries += 1


def _holds(cursor: CursorWrapper, of: Range, tally: Tally) -> Iterator[bytes]:
    for _, *facts, fee in _pages(cursor, _HOLDS, of.after_hold, of.through_hold):
        tally.holds += 1
        yield canonical.line("hold", facts)
        if fee is not None:
            yield canonical.line("split", (facts[0], fee))


def _pages(
    cursor: CursorWrapper,
    statement: str,
    after: int,
    through: int,
    key: Callable[[Any], int] = lambda row: row[0],
) -> Iterator[Any]:
    while after < through:
        cursor.execute(statement, [after, through])
        rows = cursor.fetchall()
        yield from rows
        if len(rows) < PAGE:
            return
        after = key(rows[-1])
