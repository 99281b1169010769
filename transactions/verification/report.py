"""What a verification found: plain values that print as text and as JSON."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks one rule. ``row`` names it (``wallet 0197…``), ``next_step`` says what to run."""

    check: str
    meaning: str
    row: str
    detail: str
    next_step: str


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """One currency of the ledger, in major units as decimal strings."""

    currency: str
    entries: int
    debits: str
    credits: str
    wallets: str
    held: str
    parked: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How much was looked at."""

    entries: int
    transactions: int
    wallets: int
    currencies: tuple[CurrencyTotals, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one verification of one snapshot.

    ``findings`` holds the first few rows of each broken rule; ``broken`` counts all rows by rule. ``notes`` tells
    what is allowed but weaker than it could be.
    """

    checked_at: datetime
    took_s: float
    checks: int
    totals: Totals
    findings: tuple[Finding, ...] = ()
    broken: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether every rule held."""
        return not self.broken

    @property
    def count(self) -> int:
        """How many rows break a rule, those that are not listed included."""
        return sum(self.broken.values())

    @property
    def summary(self) -> str:
        """The one line that says it all."""
        word = "balanced" if self.balanced else "NOT balanced"
        plural = "" if self.count == 1 else "s"
        return f"{word}, {self.totals.entries} entries, {self.count} finding{plural}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **asdict(self),
            "balanced": self.balanced,
            "count": self.count,
            "checked_at": self.checked_at.isoformat(),
        }
