"""Shapes of the routes that tell a wallet's past."""

from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from fintech_core import clock
from fintech_core.serializers import CurrencyField, InstantField, QueryParameters
from transactions.enums import BalanceClock


class BalanceAtQuery(QueryParameters):
    """Which wallet, which instant, and by which clock."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)
    at = InstantField()
    clock = serializers.ChoiceField(choices=BalanceClock.choices, default=BalanceClock.RECORDED)

    def validate_at(self, value: datetime) -> datetime:
        """Refuse an instant that is not over yet: what is told about the past must stay true."""
        if value > clock.now():
            raise serializers.ValidationError("Send an instant that has passed.", code="in_the_future")
        return value


class BalanceAtResponse(serializers.Serializer[Any]):
    """What a wallet had at an instant."""

    balance = serializers.CharField()
    currency = serializers.CharField()
    at = serializers.DateTimeField()
