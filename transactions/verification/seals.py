"""The chain of seals, proven again: each link, the rows under it, and the heads that were published."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from django.db import DataError
from django.db.backends.utils import CursorWrapper

from transactions.models import LedgerSeal
from transactions.sealing import canonical
from transactions.sealing.chain import FIRST, UnknownKey, chain_of, digest_of, facts_of, has_mac
from transactions.sealing.publishing import Head
from transactions.sealing.reading import Range, Tally
from transactions.verification.check import Broken, Rule

UNSEALED_FOR: Final = "1 hour"

CHAIN: Final = Rule(
    "seal_chain_is_whole", "A seal is missing, out of place, or does not follow the one before it.", "seal"
)
OURS: Final = Rule("seal_is_ours", "A seal was changed, or was not made with our key.", "seal")
UNCHANGED: Final = Rule(
    "sealed_rows_are_unchanged",
    "Sealed entries or holds, or facts of their transactions and wallets, were changed, added or removed.",
    "seal",
)
PUBLISHED: Final = Rule(
    "published_seal_is_there",
    "A seal that was published, or proven by an earlier run, is not in the chain: the newest rows were cut off,"
    " or the chain was made anew.",
    "published seal",
)
CURRENT: Final = Rule(
    "sealing_is_current",
    "Entries of more than an hour ago are not sealed: the job does not run, or the newest seals were cut off.",
    "entry",
    "manage.py seal_ledger",
)
RULES: Final = (CHAIN, OURS, UNCHANGED, PUBLISHED, CURRENT)

Told = Callable[[int, int], None]

_UNSEALED: Final = """
    SELECT min(e.id), count(*) FROM transactions_ledgerentry e
    WHERE e.id > %s AND e.created_at < clock_timestamp() - %s::interval
"""


def examine(
    cursor: CursorWrapper,
    seals: Iterable[LedgerSeal],
    *,
    published: Iterable[Head] = (),
    verified: LedgerSeal | None = None,
    told: Told | None = None,
) -> Iterator[Broken]:
    """Yield what breaks a rule. ``seals`` are in the order of their numbers, those up to ``verified`` left out.

    ``cursor`` sees one snapshot; ``told`` is called after each link with how many entries were proven, and of how many.
    """
    before, done = verified, 0
    try:
        rows = list(seals)
    except DataError as error:
        yield CHAIN, "of some number", f"a value that cannot be: {error}"
        return
    total = sum(row.entries for row in rows)
    known = {} if verified is None else {verified.number: verified.chain}
    for row in rows:
        yield from _link(before, row)
        yield from _rows(cursor, row)
        known[row.number] = row.chain
        before, done = row, done + row.entries
        if told is not None:
            told(done, total)
    yield from published_heads(known, published, after=verified.number if verified else 0)
    yield from _unsealed(cursor, before)


def _link(before: LedgerSeal | None, row: LedgerSeal) -> Iterator[Broken]:
    """Prove that the link follows the one before it and that nobody but us made it."""
    expected = (1, FIRST, 0, 0)
    if before is not None:
        expected = (before.number + 1, before.chain, before.through_entry, before.through_hold)
    if (row.number, row.previous, row.after_entry, row.after_hold) != expected:
        yield CHAIN, _name(row), f"expected seal {expected[0]} after entry {expected[2]}"
    chain = chain_of(facts_of(row))
    if chain != row.chain:
        yield OURS, _name(row), "its facts do not give its hash"
    try:
        if not has_mac(row.chain, row.key_id, row.mac):
            yield OURS, _name(row), f"its mac is not that of key {row.key_id}"
    except UnknownKey:
        yield OURS, _name(row), f"its key {row.key_id} is not in SEAL_KEYS"


def _rows(cursor: CursorWrapper, row: LedgerSeal) -> Iterator[Broken]:
    """Read the range again and compare."""
    if row.format != canonical.FORMAT:
        yield OURS, _name(row), f"its format {row.format} is not known"
        return
    tally = Tally()
    of = Range(row.after_entry, row.through_entry, row.after_hold, row.through_hold)
    try:
        digest = digest_of(cursor, of, tally)
    except (DataError, ValueError, TypeError) as error:
        # NaN and infinite times: PostgreSQL keeps them, and no posting of ours writes them.
        yield UNCHANGED, _name(row), f"a value that cannot be: {error}"
        return
    if (digest, tally.entries, tally.holds) != (row.digest, row.entries, row.holds):
        found = f"{tally.entries} entries and {tally.holds} holds"
        detail = "other facts" if (tally.entries, tally.holds) == (row.entries, row.holds) else found
        yield UNCHANGED, _name(row), f"sealed {row.entries} entries and {row.holds} holds, now {detail}"


def published_heads(known: dict[int, str], published: Iterable[Head], *, after: int) -> Iterator[Broken]:
    """Yield the heads that are not in the chain as it is known; those up to ``after`` are left out."""
    for head in published:
        if head.number < after:
            continue
        chain = known.get(head.number)
        if chain is None:
            yield PUBLISHED, str(head.number), f"missing; it went through entry {head.through_entry}"
        elif chain != head.chain:
            yield PUBLISHED, str(head.number), f"published as {head.chain[:16]}…, stored as {chain[:16]}…"


def _unsealed(cursor: CursorWrapper, last: LedgerSeal | None) -> Iterator[Broken]:
    cursor.execute(_UNSEALED, [0 if last is None else last.through_entry, UNSEALED_FOR])
    row = cursor.fetchone()
    if row and row[1]:
        yield CURRENT, str(row[0]), f"{row[1]} entries after it, it among them"


def _name(row: LedgerSeal) -> str:
    return (
        f"{row.number} (entries {row.after_entry + 1} to {row.through_entry},"
        f" holds {row.after_hold + 1} to {row.through_hold})"
    )
