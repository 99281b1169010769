"""Requests and answers of this app."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from cashback.enums import RewardStatus
from fintech_core.serializers import AmountField, AmountText, CurrencyField, QueryParameters, Request


class RedeemRequest(Request):
    """How much to redeem; everything when no amount is sent."""

    amount = AmountField(required=False, default=None)
    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)


class RewardsQuery(QueryParameters):
    """Filters of the history."""

    currency = CurrencyField(required=False)
    status = serializers.ChoiceField(choices=RewardStatus.choices, required=False)


class SummaryQuery(QueryParameters):
    """Which currency to sum up."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)


class RewardCampaignResponse(serializers.Serializer[Any]):
    """The campaign behind a reward."""

    code = serializers.CharField()
    name = serializers.CharField()


class RewardResponse(serializers.Serializer[Any]):
    """One reward."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=RewardStatus.choices)
    amount = AmountText()
    currency = serializers.CharField()
    campaign = RewardCampaignResponse()
    trigger = serializers.CharField(source="trigger_kind")
    trigger_id = serializers.UUIDField()
    transaction_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class SummaryResponse(serializers.Serializer[Any]):
    """The customer's cashback in one currency."""

    currency = serializers.CharField()
    pending = AmountText(help_text="Earned, and not landed yet.")
    available = AmountText(help_text="What can be redeemed.")
    lifetime = AmountText(help_text="What was ever earned.")
    expiring_soon = AmountText(help_text="What expires soon.")
