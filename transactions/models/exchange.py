"""Exchange: what currencies are worth, and what was promised to a customer for a moment.

A rate is a dated row that staff add and nobody edits. Each currency is priced in the default currency alone, so that
every pair follows from two rows and no circle of pairs can be worth more than it cost. A quote keeps everything the
customer was told; converting by it moves exactly these amounts, once.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.models.books import Transaction


class ExchangeRate(models.Model):
    """What one unit of ``currency`` is worth in the default currency from an instant on, and what we take of it."""

    id = UuidKey()
    currency = models.CharField(max_length=3)
    mid = models.DecimalField(
        max_digits=19, decimal_places=8, help_text="Units of the default currency for one unit of this one"
    )
    spread_basis_points = models.PositiveIntegerField(
        help_text="Hundredths of a percent that a customer gets less, whichever way"
    )
    note = models.CharField(max_length=200, blank=True, default="")
    saved_at = models.DateTimeField()
    effective_from = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["currency", "effective_from"], name="rate_one_per_instant"),
            models.CheckConstraint(condition=Q(mid__gt=0), name="rate_is_positive"),
            models.CheckConstraint(
                condition=Q(spread_basis_points__lt=5_000), name="rate_spread_leaves_something"
            ),
            models.CheckConstraint(
                condition=Q(effective_from__gte=F("saved_at")), name="rate_is_not_dated_back"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.mid:f}"


class ConversionQuote(models.Model):
    """What somebody would get for an amount until ``expires_at``; amounts in major units of their currency.

    The customer pays ``amount`` and ``fee`` of ``from_currency``, and gets ``amount_to``, which is ``amount`` times
    ``rate``, rounded down.
    """

    id = UuidKey()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    from_currency = models.CharField(max_length=3)
    to_currency = models.CharField(max_length=3)
    amount = MoneyField()
    fee = MoneyField()
    amount_to = MoneyField()
    rate = models.DecimalField(max_digits=19, decimal_places=8)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    transaction = models.OneToOneField(
        Transaction, null=True, on_delete=models.PROTECT, related_name="conversion_quote"
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount_to__gt=0, fee__gte=0, rate__gt=0),
                name="quote_amounts_are_positive",
            ),
            models.CheckConstraint(
                condition=~Q(from_currency=F("to_currency")), name="quote_is_of_two_currencies"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="quote_holds_for_a_while"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.from_currency} for {self.amount_to} {self.to_currency}"
