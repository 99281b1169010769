"""The terms of a campaign as one value, and what is wrong with them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cashback.models import ALL_BASIS_POINTS
from fintech_core import money
from fintech_core.money import ZERO

AMOUNTS = ("cap", "min_payment", "budget")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign offers. Amounts are in major units of ``currency``; an empty scope means everything."""

    code: str
    name: str
    currency: str
    percent_bp: int
    cap: Decimal
    min_payment: Decimal
    budget: Decimal
    starts_at: datetime
    ends_at: datetime | None = None
    category: str = ""
    biller: str = ""
    product: str = ""
    terms: str = ""

    def faults(self) -> dict[str, str]:
        """Return what is wrong, a sentence for each field; nothing when the terms can be offered."""
        found: dict[str, str] = {}
        if not self.code:
            found["code"] = "A campaign has a code."
        if not self.name.strip():
            found["name"] = "A campaign has a name."
        if not 1 <= self.percent_bp <= ALL_BASIS_POINTS:
            found["percent_bp"] = f"The percentage is between 1 and {ALL_BASIS_POINTS} basis points."
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            found["ends_at"] = "A campaign ends after it starts."
        if not money.is_enabled(self.currency):
            return found | {"currency": "Choose an enabled currency."}
        return found | self._faults_of_amounts()

    def _faults_of_amounts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in AMOUNTS:
            amount: Decimal = getattr(self, name)
            if amount < ZERO or (amount == ZERO and name != "min_payment"):
                found[name] = "This amount is more than zero."
            elif amount % money.quantum(self.currency):
                found[name] = f"{self.currency} has {money.decimals(self.currency)} decimals."
        return found
