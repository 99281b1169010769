"""Corrections by staff.

A correction is asked for by one person and booked by another. It may count from an earlier time than it is recorded:
that moves the balance by the effective clock, never an issued statement.
"""

from typing import ClassVar

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
