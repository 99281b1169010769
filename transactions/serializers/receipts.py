"""Shapes of receipts and of what is told about them."""

from typing import Any

from rest_framework import serializers

from fintech_core import clock
from fintech_core.money import format_amount
from fintech_core.serializers import QueryParameters
from transactions.enums import TransactionType
from transactions.receipts.reading import NOT_REAL, REAL, REVERSED, Receipt, Verdict
from transactions.rendering import conversion_of
from transactions.serializers.transactions import ConversionResponse, CounterpartyResponse


class ReceiptQuery(QueryParameters):
    """Which format."""

    format = serializers.ChoiceField(choices=["json", "pdf"], required=False)


class VerdictQuery(QueryParameters):
    """Which format."""

    format = serializers.ChoiceField(choices=["json", "html"], required=False)


class ReceiptResponse(serializers.Serializer[Any]):
    """A receipt of a completed movement, for one of its two sides."""

    transaction_id = serializers.UUIDField()
    reference = serializers.CharField()
    type = serializers.ChoiceField(choices=TransactionType.choices)
    amount = serializers.CharField()
    fee = serializers.CharField()
    total = serializers.CharField()
    currency = serializers.CharField()
    sender = CounterpartyResponse()
    receiver = CounterpartyResponse()
    description = serializers.CharField()
    conversion = ConversionResponse(allow_null=True)
    completed_at = serializers.DateTimeField()
    code = serializers.CharField()
    verify_url = serializers.URLField()

    def to_representation(self, instance: Receipt) -> dict[str, Any]:
        """Write a receipt."""
        booked = instance.transaction
        return {
            "transaction_id": str(booked.pk),
            "reference": booked.reference,
            "type": booked.type,
            "amount": format_amount(instance.amount, booked.currency),
            "fee": format_amount(instance.fee, booked.currency),
            "total": format_amount(instance.total, booked.currency),
            "currency": booked.currency,
            "sender": {"name": instance.sender},
            "receiver": {"name": instance.receiver},
            "description": booked.description,
            "conversion": conversion_of(booked),
            "completed_at": clock.rfc3339(booked.completed_at),
            "code": instance.code,
            "verify_url": instance.verify_url,
        }


class VerdictResponse(serializers.Serializer[Any]):
    """What a receipt's code stands for; everything but ``result`` is null when it is not real."""

    result = serializers.ChoiceField(choices=[REAL, REVERSED, NOT_REAL])
    type = serializers.ChoiceField(choices=TransactionType.choices, allow_null=True)
    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    sender = CounterpartyResponse(allow_null=True)
    receiver = CounterpartyResponse(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)
    refunded_amount = serializers.CharField(allow_null=True)

    def to_representation(self, instance: Verdict) -> dict[str, Any]:
        """Write a verdict."""
        booked = instance.transaction
        if booked is None:
            return {**dict.fromkeys(self.fields), "result": instance.result}
        return {
            "result": instance.result,
            "type": booked.type,
            "amount": format_amount(booked.amount, booked.currency),
            "currency": booked.currency,
            "sender": {"name": instance.sender},
            "receiver": {"name": instance.receiver},
            "completed_at": clock.rfc3339(booked.completed_at),
            "reversed_at": clock.rfc3339(instance.reversed_at),
            "refunded_amount": format_amount(instance.refunded, booked.currency),
        }
