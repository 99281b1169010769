"""What is kept about the books so that they need not be read from the first line again. Append-only.

``BalanceSnapshot`` is what a general-ledger account had after all its entries up to an id. It is written behind the
watermark of the entries, so none at or below that id is still to come. A control account has none: it is the sum of
its wallets.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from fintech_core.fields import MoneyField
from transactions.models.books import LedgerAccount


class BalanceSnapshot(models.Model):
    """The balance of one account after ``last_entry_id``, on the account's own side, in major units of ``currency``.

    Assets and expenses grow by debits, all others by credits. ``taken_at`` is database time after the watermark: every
    entry that is counted was recorded by then.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        LedgerAccount, on_delete=models.PROTECT, related_name="snapshots", db_index=False
    )
    last_entry_id = models.BigIntegerField(help_text="All entries of the account up to this id are counted")
    balance = MoneyField()
    currency = models.CharField(max_length=3)
    taken_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "last_entry_id"], name="snapshot_once_per_entry"),
            models.CheckConstraint(condition=Q(last_entry_id__gte=1), name="snapshot_counts_entries"),
        ]

    def __str__(self) -> str:
        return f"{self.balance} {self.currency} after entry {self.last_entry_id}"
