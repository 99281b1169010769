"""Locking: the one statement that takes the wallets of a business step, and what is decided on them.

A ``LockedWallet`` is the working copy of a row that this transaction holds: operations change it one after another,
and the write statement stores the result. Nothing is decided on a row that was read before the lock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from fintech_core import crashpoints
from fintech_core.exceptions import NotFound
from fintech_core.prepared import Statement, as_array
from transactions.limits import Spent

# The order is what keeps two postings from waiting for each other in a ring. The clock stands outside, since what a
# statement that locks computes it computes before it waits for the lock.
_LOCK: Final = """
    SELECT locked.*, clock_timestamp()
    FROM (
        SELECT w.id, w.owner_id, w.kind, w.currency, w.status, u.kyc_tier, w.balance, w.held, w.version,
               w.last_entry_at, w.spent_today, w.spent_this_month, w.spent_on
        FROM wallet_wallet w JOIN users_user u ON u.id = w.owner_id
        WHERE w.id = ANY(%(wanted)s::uuid[])
        ORDER BY w.id
        FOR NO KEY UPDATE OF w
    ) AS locked
"""
# A UUID compares like its number, which is compared several times as fast.
_AS_NUMBER: Final = attrgetter("int")
# PostgreSQL takes an array of unknown length for ten, so that a plan for fewer looks cheaper every time and is made
# anew for every step: half of what the whole lock costs. Two have a statement of their own; of a few the last is named
# again until they are ten.
PAIR: Final = 2
TAKEN_FOR: Final = 10
LOCK = Statement(_LOCK, binary=True)
LOCK_FREE = Statement(
    _LOCK.replace("FOR NO KEY UPDATE OF w", "FOR NO KEY UPDATE OF w SKIP LOCKED"), binary=True
)
LOCK_PAIR = Statement(_LOCK.replace("= ANY(%(wanted)s::uuid[])", "IN (%(first)s, %(last)s)"), binary=True)


@dataclass(slots=True)
class LockedWallet:
    """A wallet whose row this transaction holds.

    Amounts are in major units of ``currency``; ``locked_at`` is the database's time, read when the row was held.
    """

    id: UUID
    owner_id: UUID
    kind: str
    currency: str
    status: str
    tier: int
    balance: Decimal
    held: Decimal
    version: int
    last_entry_at: datetime | None
    spent: Spent
    locked_at: datetime
    entries: int = 0

    @property
    def available(self) -> Decimal:
        """What may be spent: balance less what is held."""
        return self.balance - self.held


def lock_wallets(wallet_ids: Iterable[UUID]) -> dict[UUID, LockedWallet]:
    """Lock wallets in one statement, ordered by id, and return their present state.

    ``FOR NO KEY UPDATE`` does not fight with the foreign-key checks of other postings. Raises NotFound when one of
    them does not exist.
    """
    wanted = _in_order(wallet_ids)
    if not wanted:
        return {}
    if len(wanted) <= PAIR:
        rows = LOCK_PAIR.rows({"first": wanted[0], "last": wanted[-1]})
    else:
        rows = LOCK.rows({"wanted": _as_many(wanted)})
    locked = _taken(rows)
    if len(locked) != len(wanted):
        raise NotFound("A wallet of this movement does not exist.")
    return locked


def lock_free_wallets(wallet_ids: Iterable[UUID]) -> dict[UUID, LockedWallet]:
    """Lock those of these wallets that nobody else holds, without waiting, and return their present state."""
    wanted = _in_order(wallet_ids)
    return _taken(LOCK_FREE.rows({"wanted": _as_many(wanted)})) if wanted else {}


def _in_order(wallet_ids: Iterable[UUID]) -> list[UUID]:
    return sorted(set(wallet_ids), key=_AS_NUMBER)


def _taken(rows: list[tuple[Any, ...]]) -> dict[UUID, LockedWallet]:
    """Make working copies of the rows that are held now."""
    locked = {row[0]: _locked(row) for row in rows}
    crashpoints.reach("ledger.locked")
    return locked


def _as_many(wanted: list[UUID]) -> str:
    """Write the array of wallets as long as its plan expects it, the last of them several times."""
    return as_array(wanted + wanted[-1:] * (TAKEN_FOR - len(wanted)))


def moment_of(wallets: Mapping[UUID, LockedWallet]) -> datetime:
    """Return when a step on these wallets is recorded: when the last was locked, never before one's last entry."""
    locked = (wallet.locked_at for wallet in wallets.values())
    entered = (wallet.last_entry_at for wallet in wallets.values() if wallet.last_entry_at)
    return max(chain(locked, entered))


def _locked(row: tuple[Any, ...]) -> LockedWallet:
    """Make the working copy of a wallet from the columns that the lock statement reads."""
    pk, owner_id, kind, currency, status, tier, balance, held, version, last_entry_at, *spent, locked_at = row
    return LockedWallet(
        pk, owner_id, kind, currency, status, tier, balance, held, version, last_entry_at, Spent(*spent), locked_at
    )  # fmt: skip
