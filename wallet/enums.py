"""Choices of a wallet."""

from django.db import models


class WalletKind(models.TextChoices):
    """What the money in a wallet is: the customer's own, or cashback not yet redeemed."""

    MAIN = "main", "Main"
    CASHBACK = "cashback", "Cashback"


class WalletStatus(models.TextChoices):
    """What may happen to a wallet: ``no_debit`` still receives, ``frozen`` and ``closed`` do neither."""

    ACTIVE = "active", "Active"
    NO_DEBIT = "no_debit", "No debit"
    FROZEN = "frozen", "Frozen"
    CLOSED = "closed", "Closed"


STATUS_SOURCES: dict[str, frozenset[str]] = {
    WalletStatus.ACTIVE: frozenset({WalletStatus.NO_DEBIT, WalletStatus.FROZEN}),
    WalletStatus.NO_DEBIT: frozenset({WalletStatus.ACTIVE, WalletStatus.FROZEN}),
    WalletStatus.FROZEN: frozenset({WalletStatus.ACTIVE, WalletStatus.NO_DEBIT}),
}
