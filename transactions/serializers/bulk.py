"""Shapes of transfers to many people."""

import re
from typing import Any

from django.conf import settings
from rest_framework import serializers

from fintech_core.ids import MADE_REFERENCE
from fintech_core.serializers import AmountField, CurrencyField, PinField, Request, Text
from transactions.enums import BulkItemStatus, BulkMode, BulkStatus
from transactions.serializers.transactions import FailureResponse
from transactions.serializers.transfers import RecipientField
from transactions.services.bulk import MAX_ITEMS

_REFERENCE = re.compile(rf"(?!{MADE_REFERENCE}\Z)[A-Za-z0-9][A-Za-z0-9._:/-]{{0,63}}")


class ReferenceField(Text):
    """The sender's own name of a movement, unique among the references of this sender."""

    default_error_messages = {
        "invalid_reference": "A reference has 1 to 64 letters, digits, . _ : / or -, and is none of ours."
    }

    def to_internal_value(self, data: Any) -> str:
        """Read a reference; raises ValidationError."""
        text = super().to_internal_value(data)
        if _REFERENCE.fullmatch(text) is None:
            self.fail("invalid_reference")
        return text


class BulkTransferItemRequest(Request):
    """One of the transfers; its amount is in the currency of the whole."""

    to = RecipientField(max_length=254)
    amount = AmountField()
    description = Text(max_length=200, default="", allow_blank=True)
    reference = ReferenceField(
        max_length=64,
        required=False,
        help_text="Your own name of this transfer, unique among yours; without one it gets one of ours",
    )


class BulkTransferRequest(Request):
    """Money to many people."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)
    items = serializers.ListField(child=BulkTransferItemRequest(), allow_empty=False, max_length=MAX_ITEMS)
    mode = serializers.ChoiceField(choices=BulkMode.choices, default=BulkMode.ALL_OR_NOTHING)
    pin = PinField()


class BulkTransferResultResponse(serializers.Serializer[Any]):
    """What became of one transfer, by its place in the request."""

    index = serializers.IntegerField()
    reference = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=BulkItemStatus.choices)
    transaction_id = serializers.UUIDField(allow_null=True)
    failure = FailureResponse(allow_null=True)


class BulkTransferResponse(serializers.Serializer[Any]):
    """Many transfers of one request (``transactions.bulk_rendering`` writes it)."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=BulkStatus.choices)
    mode = serializers.ChoiceField(choices=BulkMode.choices)
    currency = serializers.CharField()
    amount = serializers.CharField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    results = BulkTransferResultResponse(many=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    is_final = serializers.BooleanField()
    next_poll_at = serializers.DateTimeField(allow_null=True)
    resolve_by = serializers.DateTimeField(allow_null=True)
