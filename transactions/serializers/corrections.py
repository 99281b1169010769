"""Shapes of the routes by which staff correct wallets."""

from typing import Any

from rest_framework import serializers

from fintech_core import money
from fintech_core.exceptions import NotFound
from fintech_core.serializers import (
    InstantField,
    QueryParameters,
    Request,
    Text,
    Uuid,
    amount_text,
    instant,
)
from transactions.enums import AdjustmentStatus, Direction
from transactions.models import Adjustment
from wallet.models import Wallet

# What the API calls the states of a correction.
STATUSES: dict[str, str] = {
    AdjustmentStatus.REQUESTED: "pending",
    AdjustmentStatus.BOOKED: "approved",
    AdjustmentStatus.REJECTED: "rejected",
}


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


class ApprovalQuery(QueryParameters):
    """Filters of the list of what waits for a second person, and what did."""

    status = serializers.ChoiceField(choices=list(STATUSES.values()), required=False)


class ApproveRequest(Request):
    """An approval may say why."""

    reason = Text(max_length=500, default="", allow_blank=True)


class RejectRequest(Request):
    """A rejection says why."""

    reason = Text(min_length=3, max_length=500)


class ApprovalResponse(serializers.Serializer[Any]):
    """What one person asked for and another decides; so far corrections alone."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["adjustment"])
    status = serializers.ChoiceField(choices=list(STATUSES.values()))
    wallet = serializers.UUIDField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    amount = serializers.CharField()
    currency = serializers.CharField()
    effective_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    requested_by = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    transaction_id = serializers.UUIDField(allow_null=True)

    def to_representation(self, instance: Adjustment) -> dict[str, Any]:
        """Write a correction."""
        return {
            "id": str(instance.pk),
            "kind": "adjustment",
            "status": STATUSES[instance.status],
            "wallet": str(instance.wallet_id),
            "direction": instance.direction,
            "amount": amount_text(instance.amount, instance.currency),
            "currency": instance.currency,
            "effective_at": instant(instance.effective_at),
            "reason": instance.reason,
            "requested_by": str(instance.requested_by_id),
            "requested_at": instant(instance.requested_at),
            "decided_by": None if instance.decided_by_id is None else str(instance.decided_by_id),
            "decided_at": instant(instance.decided_at),
            "transaction_id": None if instance.transaction_id is None else str(instance.transaction_id),
        }


class AdjustmentResponse(serializers.Serializer[Any]):
    """What waits for somebody else's decision."""

    approval_id = serializers.UUIDField()
