"""Shapes of the route by which staff correct wallets."""

from rest_framework import serializers

from fintech_core.serializers import AmountField, InstantField, Request, Text, Uuid
from transactions.enums import Direction


class AdjustmentRequest(Request):
    """Which wallet, which way, how much, why, and from when it counts if not from now."""

    wallet = Uuid()
    amount = AmountField()  # in the wallet's currency, which the view puts into the context
    direction = serializers.ChoiceField(choices=Direction.choices)
    reason = Text(min_length=3, max_length=500)
    effective_at = InstantField(required=False)
