"""Shapes of the route by which staff correct wallets."""

from typing import Any

from rest_framework import serializers

from fintech_core import money
from fintech_core.exceptions import NotFound
from fintech_core.serializers import InstantField, Request, Text, Uuid
from transactions.enums import Direction
from wallet.models import Wallet


class AdjustmentRequest(Request):
    """Which wallet, which way, how much, why, and from when it counts if not from now."""

    wallet = Uuid()
    amount = Text(max_length=24)
    direction = serializers.ChoiceField(choices=Direction.choices)
    reason = Text(min_length=3, max_length=500)
    effective_at = InstantField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read the amount in the wallet's own currency. Raises NotFound when there is no such wallet."""
        wallet = Wallet.objects.filter(pk=attrs["wallet"]).first()
        if wallet is None:
            raise NotFound
        try:
            amount = money.parse_amount(attrs["amount"], wallet.currency)
        except money.InvalidAmount as error:
            detail = serializers.ErrorDetail(str(error), code="invalid_amount")
            raise serializers.ValidationError({"amount": [detail]}) from None
        return {**attrs, "wallet": wallet, "amount": amount}
