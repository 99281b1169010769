"""Reversals and refunds above what one person may decide, which wait for a second one.

Nothing is held for them meanwhile: the money is looked for when somebody approves, as if it were asked for then.
"""

from typing import ClassVar, Final

from django.db import models

from fintech_core.models import ApprovalRequest
from transactions.models.books import Transaction

# What a reversal or a refund that two people have decided names as its source.
UNDOING: Final = "undoing"


class Undoing(ApprovalRequest):
    """A movement to be reversed, or refunded by the amount; its result is the mirror or the refund."""

    request = models.OneToOneField(
        ApprovalRequest, primary_key=True, parent_link=True, on_delete=models.CASCADE, related_name="undoing"
    )
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="undoings")
    book_shortfall = models.BooleanField(help_text="What is spent meanwhile is booked to receivables")

    class Meta:
        verbose_name = "requested reversal"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("decide_undoing", "Can book or reject a reversal or refund that somebody else asked for")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.transaction.reference}"
