"""Credits that may not land yet."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import ParkedCreditStatus, TransactionType
from transactions.models.books import Transaction

# What a passage names as its source: the release, which brings a parked credit home, or the mirror of that release.
PARKED_CREDIT: Final = "parked_credit"


class ParkedCredit(models.Model):
    """Money from outside that belongs to ``owner`` and waits in ``suspense`` until it may land.

    It goes forward only, and the database holds it to that: from parked to released, from either to reversed, which is
    final. Whose it is and how much never changes, and the row stays. ``reversed_by`` is the mirror of ``parked_by``;
    where it was released, that release has its mirror, too.
    """

    id = UuidKey()
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="parked_credits"
    )
    wallet = models.ForeignKey("wallet.Wallet", on_delete=models.PROTECT, related_name="parked_credits")
    parked_by = models.OneToOneField(Transaction, on_delete=models.PROTECT, related_name="parked_credit")
    released_by = models.OneToOneField(Transaction, null=True, on_delete=models.PROTECT, related_name="+")
    reversed_by = models.OneToOneField(Transaction, null=True, on_delete=models.PROTECT, related_name="+")
    type = models.CharField(max_length=20, choices=TransactionType)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=ParkedCreditStatus, default=ParkedCreditStatus.PARKED)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="parked_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(
                    status=ParkedCreditStatus.PARKED, released_by__isnull=True, reversed_by__isnull=True
                )
                | Q(status=ParkedCreditStatus.RELEASED, released_by__isnull=False, reversed_by__isnull=True)
                | Q(status=ParkedCreditStatus.REVERSED, reversed_by__isnull=False),
                name="parked_until_released_or_reversed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["owner"], condition=Q(status=ParkedCreditStatus.PARKED), name="parked_of_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} parked"


def is_passage(transaction: Transaction) -> bool:
    """Say whether a movement only takes a parked credit from ``suspense`` to its wallet, or back."""
    return transaction.source_kind == PARKED_CREDIT
