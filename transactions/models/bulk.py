"""Many transfers in one request, as a business document: what was asked, and how far it has come.

``all_or_nothing`` is one transaction and is born final. ``best_effort`` is worked off in chunks: each chunk is one
transaction that locks this row first, books what it can, and writes each item's result beside the money it moved. So
a process that dies between two chunks leaves a row that says exactly what is still to be done; the same
Idempotency-Key finishes it, and so does the sweep once ``next_check_at`` has passed.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import BulkItemStatus, BulkMode, BulkStatus
from transactions.models.books import Transaction


class BulkTransfer(models.Model):
    """One request to send money to many people. ``succeeded`` and ``failed`` count the items that are final."""

    id = UuidKey()
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bulk_transfers"
    )
    wallet = models.ForeignKey("wallet.Wallet", on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    mode = models.CharField(max_length=16, choices=BulkMode)
    status = models.CharField(max_length=10, choices=BulkStatus, default=BulkStatus.PROCESSING)
    item_count = models.PositiveIntegerField()
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0, help_text="Of the chunk that is next")
    next_check_at = models.DateTimeField(
        null=True, help_text="When the sweep takes it up; null once it is final"
    )
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    status=BulkStatus.PROCESSING, completed_at__isnull=True, next_check_at__isnull=False
                )
                | Q(
                    status__in=[BulkStatus.COMPLETED, BulkStatus.FAILED],
                    completed_at__isnull=False,
                    next_check_at__isnull=True,
                    item_count=F("succeeded") + F("failed"),
                ),
                name="bulk_transfer_is_final_with_its_items",
            ),
            models.CheckConstraint(
                condition=~Q(status=BulkStatus.FAILED) | Q(succeeded=0),
                name="bulk_transfer_failed_moved_nothing",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(status=BulkStatus.PROCESSING),
                name="bulk_transfer_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_count} transfers"


class BulkTransferItem(models.Model):
    """One of the transfers. ``reference`` is the client's own, if it gave one; ``to_wallet`` null: nobody was found."""

    id = UuidKey()
    bulk = models.ForeignKey(BulkTransfer, on_delete=models.PROTECT, related_name="items")
    index = models.PositiveIntegerField(help_text="Place in the request, from 0")
    to_wallet = models.ForeignKey(
        "wallet.Wallet", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount = MoneyField()
    description = models.CharField(max_length=200, blank=True, default="")
    reference = models.CharField(max_length=64, blank=True, default="")
    status = models.CharField(max_length=10, choices=BulkItemStatus, default=BulkItemStatus.PENDING)
    transaction = models.OneToOneField(
        Transaction, null=True, on_delete=models.PROTECT, related_name="bulk_item"
    )
    failure_code = models.CharField(max_length=60, blank=True, default="")
    failure_detail = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bulk", "index"], name="bulk_item_once_per_index"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="bulk_item_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(status=BulkItemStatus.COMPLETED, transaction__isnull=False, failure_code="")
                | (Q(status=BulkItemStatus.FAILED, transaction__isnull=True) & ~Q(failure_code=""))
                | Q(status=BulkItemStatus.PENDING, transaction__isnull=True, failure_code=""),
                name="bulk_item_result_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.index}"
