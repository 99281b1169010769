"""What the legs of a posting add up to, and what they must: pure functions."""

from decimal import Decimal
from uuid import UUID

from fintech_core.money import ZERO
from transactions import chart
from transactions.drafts import Leg
from transactions.enums import Direction
from transactions.errors import ChartViolation


def debited(legs: tuple[Leg, ...], wallet_id: UUID) -> Decimal:
    """Return what leaves a wallet by these legs."""
    return sum(
        (leg.amount for leg in legs if leg.wallet_id == wallet_id and leg.direction == Direction.DEBIT), ZERO
    )


def check_legs(kind: str, legs: tuple[Leg, ...]) -> None:
    """Hold a posting to the chart before the database does: two sides or more, allowed accounts, sums of zero."""
    sums: dict[str, Decimal] = {}
    for leg in legs:
        if leg.amount <= ZERO:
            raise ChartViolation(f"{kind}: a leg of {leg.amount} on {leg.account}")
        if not chart.allows(kind, leg.account, leg.direction):
            raise ChartViolation(f"{kind} may not {leg.direction} {leg.account}")
        signed = leg.amount if leg.direction == Direction.DEBIT else -leg.amount
        sums[leg.currency] = sums.get(leg.currency, ZERO) + signed
    if len(legs) < 2 or any(sums.values()):
        raise ChartViolation(f"{kind}: the legs do not balance: {sums}")
