"""Where rates come from: an interface, and the table that staff keep, which is the default.

Another source is a class with ``rate``, named in ``VENDORS["rates"]``.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from transactions.errors import PairNotOffered
from transactions.models import ExchangeRate

ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of ``to_currency`` for one unit of ``from_currency``, before the spread, which the customer bears."""

    from_currency: str
    to_currency: str
    mid: Decimal
    spread_basis_points: int


class RateProvider(Protocol):
    """Knows what currencies are worth."""

    def rate(self, *, from_currency: str, to_currency: str, at: datetime) -> Rate:
        """Return the rate of a pair at an instant. Raises PairNotOffered. May be asked inside a request: be quick."""
        ...


class StaffTable:
    """The rates that staff have saved; each pair is crossed over the default currency, both spreads added."""

    def rate(self, *, from_currency: str, to_currency: str, at: datetime) -> Rate:
        """Return the rate of a pair at an instant. Raises PairNotOffered."""
        given, given_spread = self._worth(from_currency, at)
        taken, taken_spread = self._worth(to_currency, at)
        return Rate(from_currency, to_currency, given / taken, given_spread + taken_spread)

    @staticmethod
    def _worth(currency: str, at: datetime) -> tuple[Decimal, int]:
        if currency == settings.DEFAULT_CURRENCY:
            return ONE, 0
        rows = ExchangeRate.objects.filter(currency=currency, effective_from__lte=at)
        found = rows.order_by("-effective_from").values_list("mid", "spread_basis_points").first()
        if found is None:
            raise PairNotOffered(f"{currency} has no rate now.")
        return found


def provider() -> RateProvider:
    """Make the configured provider: the first of ``VENDORS["rates"]``, by its dotted path."""
    made: RateProvider = import_string(next(iter(settings.VENDORS["rates"].values())))()
    return made
