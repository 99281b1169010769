"""Adding a rate: a dated row, never an edit of one that was in force."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from fintech_core import audit
from fintech_core.audit import Actor
from transactions.errors import RateRefused
from transactions.models import ExchangeRate


@transaction.atomic
def add_rate(
    *,
    currency: str,
    mid: Decimal,
    spread_basis_points: int,
    effective_from: datetime,
    note: str,
    actor: Actor,
    now: datetime,
) -> ExchangeRate:
    """Add what one unit of a currency is worth in the default currency from an instant on. Quotes given before stay.

    Raises RateRefused.
    """
    if currency == settings.DEFAULT_CURRENCY:
        raise RateRefused("The default currency is what the others are priced in.")
    if effective_from < now:
        raise RateRefused("A rate is not dated back.")
    if ExchangeRate.objects.filter(currency=currency, effective_from=effective_from).exists():
        raise RateRefused("There is a rate of this currency from this instant on already.")
    added = ExchangeRate.objects.create(
        currency=currency,
        mid=mid,
        spread_basis_points=spread_basis_points,
        note=note,
        saved_at=now,
        effective_from=effective_from,
    )
    changes = {"mid": [None, f"{mid:f}"], "spread_basis_points": [None, spread_basis_points]}
    audit.record(actor=actor, action="exchange_rate.added", target=added, reason=note, changes=changes)
    return added
