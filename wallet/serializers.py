"""Shapes of the wallet routes."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from fintech_core import clock
from fintech_core.money import format_amount
from fintech_core.serializers import CurrencyField, QueryParameters, Request, Text
from wallet.enums import WalletKind, WalletStatus
from wallet.models import Wallet


class WalletQuery(QueryParameters):
    """Which main wallet is asked for."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)


class OpenWalletRequest(Request):
    """The currency of a new wallet."""

    currency = CurrencyField()


class FreezeWalletRequest(Request):
    """Why staff freeze a wallet, and how far: ``no_debit`` still lets money in."""

    reason = Text(min_length=3, max_length=500)
    level = serializers.ChoiceField(
        choices=[WalletStatus.FROZEN.value, WalletStatus.NO_DEBIT.value], default=WalletStatus.FROZEN.value
    )


class UnfreezeWalletRequest(Request):
    """Why staff unfreeze a wallet."""

    reason = Text(min_length=3, max_length=500)


class WalletResponse(serializers.Serializer[Any]):
    """A wallet as it stood at ``as_of``; amounts have exactly the currency's decimals."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=WalletKind.choices)
    currency = serializers.CharField()
    balance = serializers.CharField()
    held = serializers.CharField()
    available = serializers.CharField()
    status = serializers.ChoiceField(choices=WalletStatus.choices)
    as_of = serializers.DateTimeField()

    def to_representation(self, instance: Wallet) -> dict[str, Any]:
        """Write a wallet."""
        return {
            "id": str(instance.pk),
            "kind": instance.kind,
            "currency": instance.currency,
            "balance": format_amount(instance.balance, instance.currency),
            "held": format_amount(instance.held, instance.currency),
            "available": format_amount(instance.available, instance.currency),
            "status": instance.status,
            "as_of": clock.rfc3339(clock.now()),
        }
