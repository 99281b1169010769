"""Requests and answers of this app."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from cashback.enums import RewardStatus
from cashback.models import Reward
from cashback.selectors import CashbackSummary
from fintech_core.serializers import AmountField, CurrencyField, QueryParameters, Request, amount_text


class RedeemRequest(Request):
    """How much to redeem; everything when no amount is sent."""

    amount = AmountField(required=False, allow_null=True, default=None)
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
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField()
    campaign = RewardCampaignResponse()
    trigger = serializers.CharField(source="trigger_kind")
    trigger_id = serializers.UUIDField()
    transaction_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_amount(self, reward: Reward) -> str:
        """Write the amount with its currency's decimals."""
        return amount_text(reward.amount, reward.currency)


class SummaryResponse(serializers.Serializer[Any]):
    """The customer's cashback in one currency."""

    currency = serializers.CharField()
    pending = serializers.SerializerMethodField()
    available = serializers.SerializerMethodField()
    lifetime = serializers.SerializerMethodField()
    expiring_soon = serializers.SerializerMethodField()

    def get_pending(self, summary: CashbackSummary) -> str:
        """Write what was earned and has not landed."""
        return amount_text(summary.pending, summary.currency)

    def get_available(self, summary: CashbackSummary) -> str:
        """Write what can be redeemed."""
        return amount_text(summary.available, summary.currency)

    def get_lifetime(self, summary: CashbackSummary) -> str:
        """Write what was ever earned."""
        return amount_text(summary.lifetime, summary.currency)

    def get_expiring_soon(self, summary: CashbackSummary) -> str:
        """Write what expires soon."""
        return amount_text(summary.expiring_soon, summary.currency)
