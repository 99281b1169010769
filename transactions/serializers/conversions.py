"""Shapes of the routes that convert money."""

from typing import Any

from rest_framework import serializers

from fintech_core import clock
from fintech_core.money import format_amount
from fintech_core.serializers import AmountField, CurrencyField, PinField, Request, Uuid
from transactions.models import ConversionQuote


class ConversionQuoteRequest(Request):
    """How much of which currency into which."""

    from_currency = CurrencyField()
    to_currency = CurrencyField()
    amount = AmountField(currency_field="from_currency")


class ConversionQuoteResponse(serializers.Serializer[Any]):
    """What the customer would get, and until when."""

    quote_id = serializers.UUIDField()
    from_currency = serializers.CharField()
    to_currency = serializers.CharField()
    amount = serializers.CharField()
    fee = serializers.CharField()
    total = serializers.CharField()
    rate = serializers.CharField()
    amount_to = serializers.CharField()
    expires_at = serializers.DateTimeField()

    def to_representation(self, instance: ConversionQuote) -> dict[str, Any]:
        """Write a quote."""
        given = instance.from_currency
        return {
            "quote_id": str(instance.pk),
            "from_currency": given,
            "to_currency": instance.to_currency,
            "amount": format_amount(instance.amount, given),
            "fee": format_amount(instance.fee, given),
            "total": format_amount(instance.amount + instance.fee, given),
            "rate": f"{instance.rate:f}",
            "amount_to": format_amount(instance.amount_to, instance.to_currency),
            "expires_at": clock.rfc3339(instance.expires_at),
        }


class ConvertRequest(Request):
    """Which quote to take."""

    quote_id = Uuid()
    pin = PinField()
