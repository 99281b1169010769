"""Balances of accounts, and the trial balance: what every account has, now or at any past instant.

A general-ledger account has no row that moves with it. Its balance is the newest snapshot plus the entries since; a
control account is the sum of its wallets. Amounts stand on the account's own side: assets and expenses grow by debits,
all others by credits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connections

from fintech_core import clock
from fintech_core.money import ZERO
from fintech_core.watermark import watermark
from transactions.enums import AccountType
from transactions.models import LedgerEntry

DEBIT_SIDE: Final = (AccountType.ASSET, AccountType.EXPENSE)
# Longer than a posting can live, by the time-outs of both roles, with clocks that differ between machines: what was
# recorded before that is committed, or never will be.
UNSETTLED: Final = timedelta(minutes=5)

# Every entry that a snapshot counts was recorded by its ``taken_at``, so for an instant T the newest one taken by then
# is a base, and what was recorded by T and is not in it has a higher id.
_ACCOUNTS: Final = """
    SELECT a.code, a.name, a.type, a.currency,
           CASE WHEN a.wallet_kind <> '' THEN (:wallets)
                ELSE coalesce(base.balance, 0) + coalesce(since.moved, 0) END
    FROM transactions_ledgeraccount a
    LEFT JOIN LATERAL (
        SELECT s.balance, s.last_entry_id FROM transactions_balancesnapshot s
        WHERE s.account_id = a.id AND (%(at)s::timestamptz IS NULL OR s.taken_at <= %(at)s)
        ORDER BY s.last_entry_id DESC LIMIT 1
    ) base ON true
    LEFT JOIN LATERAL (
        SELECT sum(CASE WHEN (e.direction = 'debit') = (a.type = ANY(%(debit_side)s)) THEN e.amount
                        ELSE -e.amount END) AS moved
        FROM transactions_ledgerentry e
        WHERE e.account_id = a.id AND e.wallet_id IS NULL AND e.id > coalesce(base.last_entry_id, 0)
          AND (%(at)s::timestamptz IS NULL OR e.created_at <= %(at)s)
    ) since ON a.wallet_kind = ''
    WHERE (%(code)s::text IS NULL OR a.code = %(code)s) AND (%(currency)s::text IS NULL OR a.currency = %(currency)s)
    ORDER BY a.currency, a.id
"""
_WALLETS_NOW: Final = """
    SELECT coalesce(sum(w.balance), 0) FROM wallet_wallet w WHERE w.kind = a.wallet_kind AND w.currency = a.currency
"""
_WALLETS_THEN: Final = """
    SELECT coalesce(sum(last.wallet_balance_after), 0)
    FROM wallet_wallet w
    CROSS JOIN LATERAL (
        SELECT e.wallet_balance_after FROM transactions_ledgerentry e
        WHERE e.wallet_id = w.id AND e.wallet_balance_after IS NOT NULL AND e.created_at <= %(at)s
        ORDER BY e.created_at DESC, e.id DESC LIMIT 1
    ) last
    WHERE w.kind = a.wallet_kind AND w.currency = a.currency
"""


class AccountNotFound(LookupError):
    """No account of the chart has this code in this currency."""


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """What one account has, on its own side, in major units of ``currency``."""

    code: str
    name: str
    type: str
    currency: str
    balance: Decimal

    @property
    def signed(self) -> Decimal:
        """The balance as a debit: negative where a credit is left."""
        return self.balance if self.type in DEBIT_SIDE else -self.balance

    @property
    def debit(self) -> Decimal:
        """What stands in the left column of a trial balance."""
        return max(self.signed, ZERO)

    @property
    def credit(self) -> Decimal:
        """What stands in the right column of a trial balance."""
        return max(-self.signed, ZERO)


@dataclass(frozen=True, slots=True)
class CurrencySum:
    """The two columns of one currency, added up."""

    currency: str
    debits: Decimal
    credits: Decimal

    @property
    def balanced(self) -> bool:
        """Whether the columns are equal."""
        return self.debits == self.credits


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account of one instant, and the sums by currency."""

    as_of: datetime
    accounts: tuple[AccountBalance, ...]
    sums: tuple[CurrencySum, ...]

    @property
    def balanced(self) -> bool:
        """Whether debits equal credits in every currency."""
        return all(row.balanced for row in self.sums)


def account_balance(
    *, code: str, currency: str, at: datetime | None = None, using: str = "default"
) -> Decimal:
    """Return what an account has, now or at a past instant (recorded time, inclusive). Raises AccountNotFound.

    Near the present ``at`` waits for postings under way, outside any transaction; raises WatermarkStalled.
    """
    if at is not None:
        settle(at, using=using)
    rows = _read(using, at=at, code=code, currency=currency)
    if not rows:
        raise AccountNotFound(f"{code} {currency}")
    return rows[0].balance


def trial_balance(
    *, as_of: datetime | None = None, currency: str | None = None, using: str = "default"
) -> TrialBalance:
    """Return every account in every currency, or in one, as one statement of the database sees them.

    ``as_of`` is an instant of recorded time, inclusive; one that lies ahead is now. Raises WatermarkStalled when a
    transaction stays open that might still have recorded something before it.
    """
    now = clock.now()
    at = as_of if as_of is not None and as_of < now else None
    if at is not None:
        settle(at, using=using)
    accounts = tuple(_read(using, at=at, currency=currency))
    return TrialBalance(at or now, accounts, tuple(_sums(accounts)))


def settle(at: datetime, *, using: str = "default") -> None:
    """Wait until no entry can appear any more that was recorded at ``at`` or before. Raises WatermarkStalled."""
    if clock.now() - at <= UNSETTLED:
        watermark(LedgerEntry, using=using)


def _read(
    using: str, *, at: datetime | None, code: str | None = None, currency: str | None = None
) -> list[AccountBalance]:
    statement = _ACCOUNTS.replace(":wallets", _WALLETS_NOW if at is None else _WALLETS_THEN)
    given: dict[str, Any] = {
        "at": at, "code": code, "currency": currency, "debit_side": [str(kind) for kind in DEBIT_SIDE],
    }  # fmt: skip
    with connections[using].cursor() as cursor:
        cursor.execute(statement, given)
        return [AccountBalance(*row) for row in cursor.fetchall()]


def _sums(accounts: Iterable[AccountBalance]) -> Iterable[CurrencySum]:
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for row in accounts:
        debits, credits = sums.get(row.currency, (ZERO, ZERO))
        sums[row.currency] = (debits + row.debit, credits + row.credit)
    return [CurrencySum(currency, *columns) for currency, columns in sums.items()]
