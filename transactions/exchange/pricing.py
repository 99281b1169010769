"""What a customer gets at a rate: pure arithmetic, every rounding in favour of the house, so that no circle pays."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

from fintech_core.money import MAX_INTEGER_DIGITS, quantum
from transactions.errors import NotConvertible
from transactions.exchange.rates import Rate

# As many decimals as a transaction keeps of its rate: the amount can be worked out again from what is shown.
STEP: Final = Decimal("0.00000001")
WHOLE: Final = 10_000
# Enough that a product is exact: the usual 28 digits would round before we round down.
DIGITS: Final = 60


@dataclass(frozen=True, slots=True)
class Price:
    """The customer's rate, spread taken off, and the amount of the other currency that it makes."""

    rate: Decimal
    amount_to: Decimal


def price(amount: Decimal, rate: Rate) -> Price:
    """Return what an amount (major units) makes. Raises NotConvertible when that is nothing, or more than fits."""
    with localcontext(prec=DIGITS):
        shown = (rate.mid * (WHOLE - rate.spread_basis_points) / WHOLE).quantize(STEP, rounding=ROUND_DOWN)
        amount_to = (amount * shown).quantize(quantum(rate.to_currency), rounding=ROUND_DOWN)
    if amount_to <= 0:
        raise NotConvertible(f"This amount makes less than the smallest unit of {rate.to_currency}.")
    if amount_to >= Decimal(10) ** MAX_INTEGER_DIGITS or shown >= Decimal(10) ** 11:
        raise NotConvertible(f"This amount makes more {rate.to_currency} than a wallet can hold.")
    return Price(shown, amount_to)
