"""Shapes of the funding routes."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import QuerySet
from rest_framework import serializers

from fintech_core.serializers import CurrencyField, InstantField, MoneyRequest, QueryParameters, Request, Text
from payments.enums import IntentStatus
from payments.models import PaymentIntent
from payments.providers.registry import gateway_names
from payments.services.simulation import OUTCOMES

MAX_URL = 500


class WebAddressField(Text):
    """An absolute http(s) address."""

    default_error_messages = {"invalid_url": "Send an absolute http(s) address."}
    _is_url = URLValidator(schemes=["http", "https"])

    def to_internal_value(self, data: Any) -> str:
        """Read an address; raises ValidationError."""
        text = super().to_internal_value(data)
        try:
            self._is_url(text)
        except ValidationError:
            self.fail("invalid_url")
        return text


class FundWalletRequest(MoneyRequest):
    """Money into the wallet through a gateway; ``amount`` is what the wallet gets."""

    gateway = serializers.ChoiceField(choices=gateway_names(), default=lambda: gateway_names()[0])
    callback_url = WebAddressField(max_length=MAX_URL, default="", allow_blank=True)


class SimulateRequest(Request):
    """What the sandbox's customer does on the checkout page."""

    outcome = serializers.ChoiceField(choices=sorted(OUTCOMES))


class PaymentIntentResponse(serializers.Serializer[Any]):
    """A funding and how far it has come."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    status = serializers.ChoiceField(choices=IntentStatus.choices)
    gateway = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    fee = serializers.CharField()
    checkout_url = serializers.CharField(allow_null=True)
    expires_at = serializers.DateTimeField()
    transaction_id = serializers.UUIDField(allow_null=True)
    is_final = serializers.BooleanField()
    next_poll_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class WebhookReceiptResponse(serializers.Serializer[Any]):
    """What a gateway takes for a receipt."""

    received = serializers.BooleanField()


class HintReceiptResponse(serializers.Serializer[Any]):
    """What VTpass takes for a receipt."""

    response = serializers.CharField()


class IntentQuery(QueryParameters):
    """Filters of the list of intents."""

    status = serializers.ChoiceField(choices=IntentStatus.choices, required=False)
    currency = CurrencyField(required=False)
    created_after = InstantField(required=False)
    created_before = InstantField(required=False)
    reference = Text(max_length=64, required=False)


def filtered(rows: "QuerySet[PaymentIntent]", query: dict[str, Any]) -> "QuerySet[PaymentIntent]":
    """Narrow a list of intents by validated filters."""
    rows = rows.filter(**{name: query[name] for name in ("status", "currency", "reference") if name in query})
    bounds = {"created_after": "created_at__gte", "created_before": "created_at__lt"}
    return rows.filter(**{bounds[name]: query[name] for name in bounds if name in query})


FILTERS = frozenset(IntentQuery().fields)
