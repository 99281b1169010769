"""Fees of movements: dated data, read from memory, charged in the posting that moves the money.

A transfer and a conversion are charged by the rule that holds at their posting, on the locked payer's tier. What takes
its time is charged what its payer was told: a bill as it was quoted, a funding as its intent was made.

Amounts are in major units. The payer pays amount and fee; the receiver gets the amount and sees no fee. A percentage
is rounded half to even to the currency's smallest unit (``money.basis_points``), everything else is exact.
"""

from datetime import datetime
from decimal import Decimal

from fintech_core.money import ZERO, basis_points
from transactions import chart
from transactions.enums import TransactionType
from transactions.models import FeeRule
from transactions.rule_table import RuleTable

# Where fees by rule are earned. A type joins when somebody charges it, so that no rule is saved in vain. What a product
# of a biller costs besides stands in the catalogue.
EARNED_ON: dict[str, str] = {
    TransactionType.TRANSFER: chart.TRANSFER_FEES,
    TransactionType.CONVERSION: chart.CONVERSION_FEES,
    TransactionType.FUNDING: chart.FUNDING_FEES,
    TransactionType.BILL_PAYMENT: chart.BILL_FEES,
}

_table = RuleTable(FeeRule, about=lambda rule: (rule.type, rule.currency))


def forget() -> None:
    """Read the table anew at the next question (for tests that change it)."""
    _table.forget()


def rule_for(*, kind: str, currency: str, tier: int, at: datetime) -> FeeRule | None:
    """Return the rule that holds at an instant: the last to take effect, one that names the tier before one for all."""
    fitting = (
        rule
        for rule in _table.about((kind, currency))
        if (rule.tier is None or rule.tier == tier) and rule.effective_from <= at
    )
    return max(fitting, key=lambda rule: (rule.effective_from, rule.tier is not None), default=None)


def fee_for(*, kind: str, amount: Decimal, currency: str, tier: int, at: datetime) -> Decimal:
    """Return what a movement of this type and amount costs a payer of this tier; without a rule it is free."""
    rule = rule_for(kind=kind, currency=currency, tier=tier, at=at)
    return ZERO if rule is None else charge(rule, amount)


def charge(rule: FeeRule, amount: Decimal) -> Decimal:
    """Return the fee of an amount under a rule: flat and percentage, not below the minimum, not above the cap."""
    fee = rule.flat + basis_points(amount, rule.basis_points, rule.currency)
    fee = max(fee, rule.minimum)
    return fee if rule.cap is None else min(fee, rule.cap)
