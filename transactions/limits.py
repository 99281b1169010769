"""Limits of the tiers: dated data, read from memory, counted on the locked wallet row.

Amounts are in major units. The business day and month are those of ``BUSINESS_TIME_ZONE``. A rule takes effect a
minute after it is saved or later, so a process may remember the table for 30 seconds and still be exact.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from fintech_core import clock
from fintech_core.money import ZERO, format_amount
from transactions.errors import KycRequired, LimitExceeded
from transactions.models import LimitRule
from transactions.rule_table import RuleTable


@dataclass(frozen=True, slots=True)
class Limits:
    """What one tier may move in one currency; None means no limit."""

    tier: int
    currency: str
    single: Decimal | None
    daily: Decimal | None
    monthly: Decimal | None
    max_balance: Decimal | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What left a wallet on the business day and in the business month of ``on``."""

    today: Decimal
    this_month: Decimal
    on: date | None

    def as_of(self, day: date) -> "Spent":
        """Return the same figures on a later day: what lies in an earlier day or month counts no more.

        Days never go back, whatever a clock says: nobody may spend what a day leaves twice.
        """
        if self.on is not None and self.on >= day:
            return self
        same_month = self.on is not None and (self.on.year, self.on.month) == (day.year, day.month)
        return Spent(ZERO, self.this_month if same_month else ZERO, day)

    def plus(self, amount: Decimal) -> "Spent":
        """Count an amount."""
        return Spent(self.today + amount, self.this_month + amount, self.on)

    def minus(self, amount: Decimal, *, spent_on: date) -> "Spent":
        """Give an amount back to the day and the month in which it was counted."""
        if self.on is None:
            return self
        same_month = (spent_on.year, spent_on.month) == (self.on.year, self.on.month)
        return Spent(
            max(self.today - amount, ZERO) if spent_on == self.on else self.today,
            max(self.this_month - amount, ZERO) if same_month else self.this_month,
            self.on,
        )


_table = RuleTable(LimitRule, about=lambda rule: (rule.tier, rule.currency))


def forget() -> None:
    """Read the table anew at the next question (for tests that change it)."""
    _table.forget()


def limits_for(*, tier: int, currency: str, at: datetime) -> Limits:
    """Return the limits of a tier in a currency at an instant; without a rule nothing may move."""
    found: LimitRule | None = None
    for rule in _table.about((tier, currency)):
        if rule.effective_from <= at:
            found = rule
    if found is None:
        return Limits(tier, currency, ZERO, ZERO, ZERO, ZERO)
    return Limits(tier, currency, found.single, found.daily, found.monthly, found.max_balance)


def require_verified(tier: int, *, to: str = "send money") -> None:
    """Refuse whoever may not do it at all before they are verified. Raises KycRequired."""
    if tier == 0:
        raise KycRequired(
            f"Verify your identity to {to}.", how_to_fix="Submit your BVN or NIN: POST /users/me/kyc."
        )


def check_spend(limits: Limits, spent: Spent, amount: Decimal, at: datetime) -> None:
    """Check an outgoing amount against the figures of the locked wallet.

    Raises KycRequired for a tier that may not send at all, LimitExceeded with ``limit_name, limit, used, remaining,
    resets_at, how_to_fix``.
    """
    require_verified(limits.tier)
    for name, limit, used, reset_after in (
        ("single", limits.single, ZERO, None),
        ("daily", limits.daily, spent.today, clock.next_day),
        ("monthly", limits.monthly, spent.this_month, clock.next_month),
    ):
        if limit is not None and used + amount > limit:
            resets_at = None if reset_after is None else reset_after(at)
            raise LimitExceeded(
                f"The {name} limit of tier {limits.tier} is {format_amount(limit, limits.currency)} {limits.currency}.",
                limit_name=name,
                limit=format_amount(limit, limits.currency),
                used=format_amount(used, limits.currency),
                remaining=format_amount(max(limit - used, ZERO), limits.currency),
                currency=limits.currency,
                resets_at=clock.rfc3339(resets_at),
                how_to_fix="Raise your tier, or send less."
                if limits.tier < 3
                else "Send less, or wait for the reset.",
            )


def over_cap(limits: Limits, balance_after: Decimal) -> bool:
    """Say whether a balance would pass the tier's cap."""
    return limits.max_balance is not None and balance_after > limits.max_balance
