"""Wallets: the subsidiary ledger of what customers own.

A wallet is the only row that carries a running balance and the only row that is locked for money. ``balance`` is
what the customer has, ``held`` is what is promised to somebody else (the sum of the pending transactions that leave
this wallet), and what may be spent is the difference. What was spent today and this month stands here too, so that
limits are checked and counted on a row that is locked and written anyway.

``transactions`` alone writes ``balance``, ``held``, ``version``, ``last_entry_at`` and ``spent_*``; this app opens
wallets and sets ``status``. The database refuses a balance that the last entry does not show, a change of owner,
kind or currency, and the deletion of a wallet. The changing columns have no index and pages keep room, so that
PostgreSQL can update a wallet in place (HOT).
"""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from wallet.enums import WalletKind, WalletStatus


class Wallet(models.Model):
    """One person's money in one currency. Amounts are in major units of ``currency``."""

    id = UuidKey()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="wallets")
    kind = models.CharField(max_length=10, choices=WalletKind, default=WalletKind.MAIN)
    currency = models.CharField(max_length=3)
    balance = MoneyField(default=Decimal(0))
    held = MoneyField(default=Decimal(0))
    status = models.CharField(max_length=10, choices=WalletStatus, default=WalletStatus.ACTIVE)
    version = models.BigIntegerField(
        default=0, help_text="Version of the last entry: 1, 2, 3 … without a gap"
    )
    last_entry_at = models.DateTimeField(null=True, help_text="Recorded time of the last entry")
    spent_today = MoneyField(default=Decimal(0))
    spent_this_month = MoneyField(default=Decimal(0))
    spent_on = models.DateField(null=True, help_text="Business date of the spent figures")
    created_at = models.DateTimeField(auto_now_add=True)
    # Drawn by a trigger of the ledger: wallets are sealed in this order.
    opening_number = models.BigIntegerField(null=True, editable=False, help_text="Place of its opening")

    class Meta:
        permissions: ClassVar = [("freeze_wallet", "Can stop money at a wallet and let it move again")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "kind", "currency"], name="wallet_one_of_a_kind_and_currency"
            ),
            models.UniqueConstraint(fields=["opening_number"], name="wallet_by_opening"),
            models.CheckConstraint(
                condition=Q(balance__gte=0) & Q(held__gte=0) & Q(held__lte=F("balance")),
                name="wallet_balance_covers_held",
            ),
            models.CheckConstraint(condition=Q(version__gte=0), name="wallet_version_counts_entries"),
            models.CheckConstraint(
                condition=Q(spent_today__gte=0) & Q(spent_this_month__gte=0),
                name="wallet_spent_is_not_negative",
            ),
            models.CheckConstraint(condition=Q(kind__in=WalletKind.values), name="wallet_kind_is_known"),
            models.CheckConstraint(
                condition=Q(status__in=WalletStatus.values), name="wallet_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.currency}"

    @property
    def available(self) -> Decimal:
        """What may be spent: balance less what is held."""
        return self.balance - self.held
