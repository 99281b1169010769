"""Shapes of the routes by which a second person decides."""

from typing import Any

from rest_framework import serializers

from fintech_core import clock
from fintech_core.models import ApprovalRequest, ApprovalStatus
from fintech_core.money import format_amount
from fintech_core.serializers import QueryParameters, Request, Text
from transactions.enums import ApprovalKind, Direction


class ApprovalQuery(QueryParameters):
    """Filters of the list of what waits for a second person, and what did."""

    status = serializers.ChoiceField(choices=ApprovalStatus.choices, required=False)
    kind = serializers.ChoiceField(choices=ApprovalKind.choices, required=False)


class ApproveRequest(Request):
    """An approval may say why."""

    reason = Text(max_length=500, default="", allow_blank=True)


class RejectRequest(Request):
    """A rejection says why."""

    reason = Text(min_length=3, max_length=500)


class ApprovalAskedResponse(serializers.Serializer[Any]):
    """What waits for somebody else's decision; a dry run asks nobody, so there is none to name."""

    approval_id = serializers.UUIDField(allow_null=True)


class ApprovalResponse(serializers.Serializer[Any]):
    """What one person asked for and another decides; ``transaction_id`` is what came of it.

    Of a correction ``wallet``, ``direction`` and ``effective_at`` say what it is; of a reversal or refund ``undoes`` is
    the movement, and ``book_shortfall`` whether the house bears what is spent.
    """

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ApprovalKind.choices)
    status = serializers.ChoiceField(choices=ApprovalStatus.choices)
    wallet = serializers.UUIDField(allow_null=True)
    direction = serializers.ChoiceField(choices=Direction.choices, allow_null=True)
    effective_at = serializers.DateTimeField(allow_null=True)
    undoes = serializers.UUIDField(allow_null=True)
    book_shortfall = serializers.BooleanField(allow_null=True)
    amount = serializers.CharField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    requested_by = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    transaction_id = serializers.UUIDField(allow_null=True)

    def to_representation(self, instance: ApprovalRequest) -> dict[str, Any]:
        """Write a request with what its kind adds."""
        return {
            "id": str(instance.pk),
            "kind": instance.kind,
            "status": instance.status,
            **_terms(instance),
            "amount": format_amount(instance.amount, instance.currency),
            "currency": instance.currency,
            "reason": instance.reason,
            "requested_by": str(instance.requested_by_id),
            "requested_at": clock.rfc3339(instance.requested_at),
            "decided_by": None if instance.decided_by_id is None else str(instance.decided_by_id),
            "decided_at": clock.rfc3339(instance.decided_at),
            "transaction_id": None if instance.result_id is None else str(instance.result_id),
        }


def _terms(asked: ApprovalRequest) -> dict[str, Any]:
    if asked.kind == ApprovalKind.ADJUSTMENT:
        correction = asked.adjustment
        return {
            "wallet": str(correction.wallet_id),
            "direction": correction.direction,
            "effective_at": clock.rfc3339(correction.effective_at),
            "undoes": None,
            "book_shortfall": None,
        }
    undoing = asked.undoing
    return {
        "wallet": None,
        "direction": None,
        "effective_at": None,
        "undoes": str(undoing.transaction_id),
        "book_shortfall": undoing.book_shortfall,
    }
