"""What is kept about the books so that they need not be read from the first line again. Append-only.

``BalanceSnapshot`` is what a general-ledger account had after all its entries up to an id. It is written behind the
watermark of the entries, so none at or below that id is still to come. A control account has none: it is the sum of
its wallets.

``LedgerSeal`` is a link of a chain over closed ranges of entries with the facts of their transactions and wallets, and
over holds, which have no entries (``transactions.sealing``). Its key is kept outside the database: whoever has the
database's password can change an old row, but cannot make the seals fit it. ``VerificationMark`` says how far somebody
who holds that key has proven it all.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

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


class LedgerSeal(models.Model):
    """One link: the entries and holds after the first bounds, through the second ones; hashes are hexadecimal SHA-256.

    ``digest`` is over the canonical bytes of the range, ``chain`` over this row's facts and the chain before it:
    anybody can compute both again. ``mac`` is the chain's HMAC under the key that ``key_id`` names.
    """

    number = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 … without a gap")
    format = models.PositiveSmallIntegerField(help_text="How the canonical bytes are written")
    after_entry = models.BigIntegerField()
    through_entry = models.BigIntegerField()
    after_hold = models.BigIntegerField()
    through_hold = models.BigIntegerField()
    entries = models.PositiveIntegerField()
    holds = models.PositiveIntegerField(help_text="Holds made and ended in the range")
    digest = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    chain = models.CharField(max_length=64)
    key_id = models.CharField(max_length=32)
    mac = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["previous"], name="seal_chain_does_not_fork"),
            models.CheckConstraint(
                condition=Q(
                    number__gte=1, through_entry__gte=F("after_entry"), through_hold__gte=F("after_hold")
                ),
                name="seal_goes_on",
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.number}"


class VerificationMark(models.Model):
    """Up to where everything was proven once; an incremental verification goes on from the newest one.

    ``seal_number`` is the last seal that was proven with its rows, 0 when none was. ``mac`` is under the key of the
    seals: a mark that somebody else wrote is not believed.
    """

    id = models.BigAutoField(primary_key=True)
    through_entry = models.BigIntegerField()
    through_hold = models.BigIntegerField()
    seal_number = models.BigIntegerField()
    seal_chain = models.CharField(max_length=64)
    checked_at = models.DateTimeField()
    key_id = models.CharField(max_length=32)
    mac = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"proven through entry {self.through_entry}"
