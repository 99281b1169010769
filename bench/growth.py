"""The same work on a ledger of ten thousand entries and on one of ten million."""

from dataclasses import dataclass

import psycopg

from bench import ground
from bench.ground import Ground

SMALL, PAGES, LARGE = "bench_small", "bench_pages", "bench_large"
PEOPLE, FEW = 5_000, 200
SMALL_ENTRIES = 10_000
# Until then a question about the past takes the wallet's lock.
SETTLED_AFTER_S = 6.5 * 60


@dataclass(frozen=True, slots=True)
class Ledgers:
    """A small ledger and a large one of the same people, and a small one of so few that each has a page of lines."""

    small: Ground
    pages: Ground
    large: Ground


# A ledger that has been at work has what it works with in memory. Only a walk along an index fills PostgreSQL's own
# cache; what reads a large table from end to end goes past it.
_ONLY_BY_INDEX = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off"
_WALKS = (
    "SELECT amount FROM transactions_ledgerentry ORDER BY wallet_id, wallet_version",
    "SELECT amount FROM transactions_ledgerentry WHERE wallet_balance_after IS NOT NULL"
    " ORDER BY wallet_id, created_at, id",
    "SELECT description FROM transactions_transaction ORDER BY id",
    "SELECT balance FROM wallet_wallet ORDER BY id",
    "SELECT email FROM users_user ORDER BY id",
    "SELECT transaction_id FROM transactions_ledgerentry ORDER BY transaction_id",
    "SELECT from_user_id FROM transactions_transaction ORDER BY from_user_id, created_at, id",
    "SELECT to_user_id FROM transactions_transaction ORDER BY to_user_id, created_at, id",
)


def prepare(entries: int) -> Ledgers:
    """Return ledgers of ten thousand entries and one of ``entries``.

    The large one takes a while; it is kept from run to run while schema and size are the same.
    """
    small, pages = _opened(SMALL, PEOPLE), _opened(PAGES, FEW)
    _add_history(pages, SMALL_ENTRIES)
    pages.settle()
    kept = f"{LARGE}_{entries}_{ground.fingerprint()}"
    if ground.exists(kept):
        return Ledgers(small, pages, Ground(small.servers, kept, PEOPLE))
    large = ground.copy(small, f"{kept}_building")
    _add_history(large, entries)
    large.settle()
    return Ledgers(small, pages, ground.rename(large, kept))


def _opened(name: str, people: int) -> Ground:
    """Make a ledger whose people have got their opening balances: two entries each."""
    made = ground.make(name, people=people)
    made.inside("people:make_plain_people")
    made.execute("tables.sql")
    made.settle()
    return made


def _add_history(ledger: Ground, entries: int) -> None:
    """Let everybody send and get once in each wave, until there are so many entries."""
    wave_size = 2 * ledger.people
    for wave in range(1, entries // wave_size):
        ledger.execute("history.sql", {"step": wave % (ledger.people - 1) + 1, "people": ledger.people})
        if wave % 50 == 0:
            print(f"  history: {(wave + 1) * wave_size:,} of {entries:,} entries", flush=True)


def warm(large: Ground) -> None:
    """Read the large ledger once, as long work would have."""
    with psycopg.connect(large.owner_url, autocommit=True) as connection:
        connection.execute(_ONLY_BY_INDEX)
        for walk in _WALKS:
            connection.execute(f"EXPLAIN ANALYZE {walk}")  # runs it, and keeps the rows to itself
