"""The ledger: a general ledger with a subsidiary ledger of wallets.

``LedgerAccount`` is the chart of accounts, a few dozen rows that never change. ``Transaction`` is one business
movement and, while it is pending, the hold on the money it promises. ``LedgerEntry`` is the append-only journal: for
each transaction and currency its debits equal its credits.

General-ledger accounts carry no balance, so the account that every movement touches is no bottleneck. The database
refuses what must not be (``migrations/sql``): unbalanced entries, a second batch for a transaction, a completed
transaction without entries, any edit or deletion of an entry, a wallet that its last entry does not show, a held
amount that is not the sum of the wallet's pending transactions.

The keys from entries to accounts and from transactions to users have no constraint in the database: each check would
lock a row that everybody shares. The entry trigger checks the account anyway.
"""

from decimal import Decimal
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import AccountType, Direction, TransactionStatus, TransactionType

# What most movements are.
ORDINARY: Final = (
    TransactionType.TRANSFER, TransactionType.FUNDING, TransactionType.BILL_PAYMENT, TransactionType.WITHDRAWAL,
    TransactionType.CASHBACK,
)  # fmt: skip


class LedgerAccount(models.Model):
    """One account of the chart in one currency. ``wallet_kind`` is set exactly on the two control accounts."""

    id = models.BigAutoField(primary_key=True)
    code = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    type = models.CharField(max_length=10, choices=AccountType)
    currency = models.CharField(max_length=3)
    wallet_kind = models.CharField(max_length=10, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code", "currency"], name="account_code_is_unique_per_currency"),
            models.CheckConstraint(condition=Q(type__in=AccountType.values), name="account_type_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.currency}"


class Transaction(models.Model):
    """One business movement of money. Amounts are in major units of ``currency``."""

    id = UuidKey()
    reference = models.CharField(max_length=64, help_text="Ours, or the sender's own: unique among theirs")
    type = models.CharField(max_length=20, choices=TransactionType)
    status = models.CharField(max_length=10, choices=TransactionStatus)
    currency = models.CharField(max_length=3)
    amount = MoneyField()
    fee = MoneyField(default=Decimal(0))
    hold_amount = MoneyField(
        null=True, help_text="Set by authorize and kept; a wallet's held sums the pending ones"
    )
    hold_fee = MoneyField(null=True, editable=False, help_text="The fee that the hold was made for; kept")
    expires_at = models.DateTimeField(null=True)
    from_wallet = models.ForeignKey(
        "wallet.Wallet", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    to_wallet = models.ForeignKey(
        "wallet.Wallet", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    from_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="sent_transactions",
    )
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="received_transactions",
    )
    initiated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    description = models.CharField(max_length=200, blank=True, default="")
    metadata = models.JSONField(default=dict)
    reverses = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="reversed_by", db_constraint=True
    )
    refund_of = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="refunds", db_index=False
    )
    source_kind = models.CharField(max_length=40, blank=True, default="")
    source_id = models.UUIDField(null=True, help_text="The business document behind this movement")
    converted_amount = MoneyField(null=True)
    converted_currency = models.CharField(max_length=3, blank=True, default="")
    conversion_rate = models.DecimalField(max_digits=19, decimal_places=8, null=True)
    failure_code = models.CharField(max_length=60, blank=True, default="")
    created_at = models.DateTimeField(help_text="Database time under the wallet locks")
    completed_at = models.DateTimeField(null=True)
    effective_at = models.DateTimeField(null=True, help_text="Only when it differs from the recorded time")
    # Drawn by triggers from one sequence: what has no entry is sealed in this order.
    hold_number = models.BigIntegerField(null=True, editable=False, help_text="Place of the hold")
    end_number = models.BigIntegerField(
        null=True, editable=False, help_text="Place of its end without entries"
    )

    class Meta:
        permissions: ClassVar = [
            ("reverse_transaction", "Can book the mirror of a completed transaction"),
            ("refund_transaction", "Can give a payer back a part of a completed transaction"),
            ("book_shortfall", "Can book what a receiver cannot give back to receivables"),
            ("switch_money_out", "Can stop outgoing money and resume it"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reference", "from_user"],
                nulls_distinct=False,
                name="transaction_reference_once_per_sender",
            ),
            models.UniqueConstraint(
                fields=["type", "source_kind", "source_id"],
                condition=Q(source_id__isnull=False),
                name="transaction_once_per_source",
            ),
            models.UniqueConstraint(
                fields=["hold_number"], condition=Q(hold_number__isnull=False), name="transaction_by_hold"
            ),
            models.UniqueConstraint(
                fields=["end_number"], condition=Q(end_number__isnull=False), name="transaction_by_end"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(fee__gte=0), name="transaction_amount_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(hold_amount__isnull=True) | Q(hold_amount__gt=0),
                name="transaction_hold_is_positive",
            ),
            models.CheckConstraint(
                condition=~Q(status=TransactionStatus.PENDING)
                | Q(hold_amount__isnull=False, from_wallet__isnull=False),
                name="transaction_pending_is_a_hold",
            ),
            models.CheckConstraint(
                condition=Q(status=TransactionStatus.PENDING, completed_at__isnull=True)
                | (~Q(status=TransactionStatus.PENDING) & Q(completed_at__isnull=False)),
                name="transaction_final_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(from_wallet__isnull=True)
                | Q(to_wallet__isnull=True)
                | ~Q(from_wallet=F("to_wallet")),
                name="transaction_has_two_ends",
            ),
            models.CheckConstraint(
                condition=Q(status__in=TransactionStatus.values), name="transaction_status_known"
            ),
            models.CheckConstraint(
                condition=Q(type__in=TransactionType.values), name="transaction_type_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["from_user", "created_at", "id"], name="transaction_by_sender"),
            models.Index(fields=["to_user", "created_at", "id"], name="transaction_by_receiver"),
            models.Index(
                fields=["from_wallet"],
                condition=Q(status=TransactionStatus.PENDING),
                name="transaction_open_holds",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(status=TransactionStatus.PENDING, expires_at__isnull=False),
                name="transaction_expiring_holds",
            ),
            models.Index(
                fields=["refund_of"], condition=Q(refund_of__isnull=False), name="transaction_refunds_of"
            ),
            # What undoes, corrects or converts is found by its type, and ordinary movements pay nothing for it.
            models.Index(
                fields=["type", "id"],
                condition=~Q(type__in=ORDINARY)
                | Q(effective_at__isnull=False)
                | Q(reverses__isnull=False)
                | Q(refund_of__isnull=False),
                name="transaction_out_of_ordinary",
            ),
            # Ordinary movements carry no metadata, so they are not in this index and pay nothing for it.
            GinIndex(
                fields=["metadata"],
                opclasses=["jsonb_path_ops"],
                condition=~Q(metadata={}),
                name="transaction_by_metadata",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class EntryQuerySet(models.QuerySet["LedgerEntry"]):
    """Entries, and how to read a wallet's in the order of time."""

    def history_of(self, wallet: "UUID | models.QuerySet[Any]") -> Self:
        """Keep a wallet's entries, by the index that has them in the order of their recorded time.

        Only who asks for a running balance gets that index; ``balances`` does, too, in SQL of its own. Who looks for a
        version gets the unique one, as every posting does: left to choose, PostgreSQL took this one and read the whole
        history of a busy wallet each time.
        """
        return self.filter(wallet=wallet, wallet_balance_after__isnull=False)


class LedgerEntry(models.Model):
    """One line of the journal. Never changed, never deleted."""

    objects = EntryQuerySet.as_manager()

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(
        LedgerAccount,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="entries",
    )
    wallet = models.ForeignKey(
        "wallet.Wallet", null=True, on_delete=models.PROTECT, db_index=False, related_name="entries"
    )
    direction = models.CharField(max_length=6, choices=Direction)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    wallet_balance_after = MoneyField(null=True)
    wallet_version = models.BigIntegerField(null=True, help_text="1, 2, 3 … without a gap, per wallet")
    created_at = models.DateTimeField(help_text="Database time under the wallet lock")
    effective_at = models.DateTimeField(null=True, help_text="Only when it differs from the recorded time")

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["wallet", "wallet_version"], name="entry_wallet_version_is_unique"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="entry_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="entry_direction_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    wallet__isnull=True, wallet_version__isnull=True, wallet_balance_after__isnull=True
                )
                | Q(
                    # A comparison with NULL is not false, and a CHECK lets through what is not false.
                    wallet__isnull=False,
                    wallet_version__isnull=False,
                    wallet_balance_after__isnull=False,
                    wallet_version__gte=1,
                    wallet_balance_after__gte=0,
                ),
                name="entry_wallet_facts_come_together",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["wallet", "created_at", "id"],
                condition=Q(wallet_balance_after__isnull=False),
                name="entry_history_of_wallet",
            ),
            models.Index(
                fields=["account", "id"], condition=Q(wallet__isnull=True), name="entry_account_history"
            ),
            # Only corrections that are dated back have an effective time, so others pay nothing for it.
            models.Index(
                fields=["wallet", "effective_at"],
                condition=Q(effective_at__isnull=False),
                name="entry_wallet_effective",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.amount} {self.currency}"
