"""The one signal of the project: whoever signs up has a main wallet in the default currency at once."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models.signals import post_save

from wallet.enums import WalletKind
from wallet.models import Wallet


def open_first_wallet(*, instance: Any, created: bool, using: str, raw: bool = False, **_kwargs: Any) -> None:
    """Open the main wallet of a user who was just created."""
    if created and not raw:
        Wallet.objects.using(using).create(
            owner=instance, kind=WalletKind.MAIN, currency=settings.DEFAULT_CURRENCY
        )


def connect() -> None:
    """Connect the signal once."""
    post_save.connect(open_first_wallet, sender=get_user_model(), dispatch_uid="wallet.open_first_wallet")
