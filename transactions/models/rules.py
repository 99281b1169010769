"""Rules as dated data: a row takes effect later than it is saved, and none is ever edited in the past."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import TransactionType


def _not_negative(name: str) -> Q:
    return Q((f"{name}__isnull", True)) | Q((f"{name}__gte", 0))


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
            models.CheckConstraint(
                condition=_not_negative("single")
                & _not_negative("daily")
                & _not_negative("monthly")
                & _not_negative("max_balance"),
                name="limit_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"tier {self.tier} {self.currency}"


class FeeRule(models.Model):
    """What a movement of ``type`` costs its payer from a date on: ``flat`` plus ``basis_points`` of the amount.

    The sum is raised to ``minimum`` and lowered to ``cap`` where there is one. Without a tier a rule holds for every
    tier. The rule that takes effect last holds; of two of one instant, the one that names the tier. Like a limit it
    takes effect a minute after it is saved or later.
    """

    id = UuidKey()
    type = models.CharField(max_length=20, choices=TransactionType)
    currency = models.CharField(max_length=3)
    tier = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: every tier")
    flat = MoneyField()
    basis_points = models.PositiveIntegerField(help_text="Hundredths of a percent of the amount")
    minimum = MoneyField()
    cap = MoneyField(null=True, blank=True, help_text="Empty: no cap")
    note = models.CharField(max_length=200, blank=True, default="")
    saved_at = models.DateTimeField()
    effective_from = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["type", "currency", "tier", "effective_from"],
                nulls_distinct=False,
                name="fee_one_per_instant",
            ),
            models.CheckConstraint(
                condition=Q(
                    effective_from__gte=F("saved_at") + models.Value("00:01:00", models.DurationField())
                ),
                name="fee_takes_effect_later",
            ),
            models.CheckConstraint(
                condition=Q(flat__gte=0, minimum__gte=0, basis_points__lte=10_000),
                name="fee_is_not_negative_nor_more_than_all",
            ),
            models.CheckConstraint(
                condition=Q(cap__isnull=True) | Q(cap__gte=F("minimum")), name="fee_cap_is_above_its_minimum"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.currency}"
