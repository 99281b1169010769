"""Corrections by staff, and the months in which nothing may take effect any more.

A correction is asked for by one person and booked by another. It may count from an earlier time than it is recorded:
that moves the balance by the effective clock, never an issued statement. A month that is closed is a row; months are
closed in their order, once over, for good, and the database refuses a movement that would take effect in one.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import AdjustmentStatus, Direction
from transactions.models.books import Transaction


class Adjustment(models.Model):
    """Money into (credit) or out of (debit) a wallet that no customer asked for; amount in major units."""

    id = UuidKey()
    wallet = models.ForeignKey("wallet.Wallet", on_delete=models.PROTECT, related_name="adjustments")
    direction = models.CharField(max_length=6, choices=Direction)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    effective_at = models.DateTimeField(null=True, help_text="Only when it counts from an earlier time")
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=AdjustmentStatus, default=AdjustmentStatus.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    transaction = models.OneToOneField(
        Transaction, null=True, on_delete=models.PROTECT, related_name="adjustment"
    )

    class Meta:
        permissions: ClassVar = [("decide_adjustment", "Can book or reject a correction of somebody else")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="adjustment_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="adjustment_direction_is_known"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="adjustment_needs_two_people",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=AdjustmentStatus.REQUESTED, decided_by__isnull=True, decided_at__isnull=True,
                    transaction__isnull=True,
                ) | Q(
                    status=AdjustmentStatus.REJECTED, decided_by__isnull=False, decided_at__isnull=False,
                    transaction__isnull=True,
                ) | Q(
                    status=AdjustmentStatus.BOOKED, decided_by__isnull=False, decided_at__isnull=False,
                    transaction__isnull=False,
                ),
                name="adjustment_is_booked_with_its_transaction",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(
                fields=["requested_at"],
                condition=Q(status=AdjustmentStatus.REQUESTED),
                name="adjustment_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.amount} {self.currency}"


class ClosedMonth(models.Model):
    """A business month (named by its first day) whose books are closed. Append-only."""

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(unique=True, help_text="Its first day")
    reason = models.CharField(max_length=500)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(month__day=1), name="closed_month_is_a_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"
