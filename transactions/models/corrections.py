"""Corrections by staff, and the months in which nothing may take effect any more.

A correction is asked for by one person and booked by another. It may count from an earlier time than it is recorded:
that moves the balance by the effective clock, never an issued statement. A month that is closed is a row; months are
closed in their order, once over, for good, and the database refuses a movement that would take effect in one.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from fintech_core.models import ApprovalRequest
from transactions.enums import Direction


class Adjustment(ApprovalRequest):
    """Money into (credit) or out of (debit) a wallet that no customer asked for; its result is the transaction."""

    request = models.OneToOneField(
        ApprovalRequest,
        primary_key=True,
        parent_link=True,
        on_delete=models.CASCADE,
        related_name="adjustment",
    )
    wallet = models.ForeignKey("wallet.Wallet", on_delete=models.PROTECT, related_name="adjustments")
    direction = models.CharField(max_length=6, choices=Direction)
    effective_at = models.DateTimeField(null=True, help_text="Only when it counts from an earlier time")

    class Meta:
        permissions: ClassVar = [("decide_adjustment", "Can book or reject a correction of somebody else")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="adjustment_direction_is_known"
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
