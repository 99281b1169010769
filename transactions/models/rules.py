"""Rules as dated data: a row takes effect later than it is saved, and none is ever edited in the past."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey


class LimitRule(models.Model):
    """What a tier may move in a currency from a date on; None means no limit. Figures are samples until confirmed.

    A row takes effect a minute after it is saved or later, so that a process may remember the table for 30 seconds
    and still be exact.
    """

    id = UuidKey()
    tier = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=3)
    single = MoneyField(null=True)
    daily = MoneyField(null=True)
    monthly = MoneyField(null=True)
    max_balance = MoneyField(null=True)
    note = models.CharField(max_length=200, blank=True, default="")
    saved_at = models.DateTimeField()
    effective_from = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tier", "currency", "effective_from"], name="limit_one_per_instant"
            ),
            models.CheckConstraint(
                condition=Q(
                    effective_from__gte=F("saved_at") + models.Value("00:01:00", models.DurationField())
                ),
                name="limit_takes_effect_later",
            ),
        ]

    def __str__(self) -> str:
        return f"tier {self.tier} {self.currency}"
