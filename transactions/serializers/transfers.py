"""Shapes of the transfer's routes."""

import re
from typing import Any

import phonenumbers
from django.conf import settings
from rest_framework import serializers

from fintech_core.serializers import MoneyRequest, PinField, Request, Text

MAX_METADATA_KEYS = 20
MAX_METADATA_TEXT = 500
_METADATA_KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class RecipientField(Text):
    """An e-mail address, or a phone number that is brought to E.164."""

    default_error_messages = {"invalid_recipient": "Send an e-mail address or a phone number."}

    def to_internal_value(self, data: Any) -> str:
        """Read a recipient; raises ValidationError."""
        text = super().to_internal_value(data)
        if "@" in text:
            return text.lower()
        try:
            number = phonenumbers.parse(text, settings.PHONENUMBER_DEFAULT_REGION)
        except phonenumbers.NumberParseException:
            self.fail("invalid_recipient")
        if not phonenumbers.is_valid_number(number):
            self.fail("invalid_recipient")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class MetadataField(serializers.DictField):
    """Up to 20 keys of the client's own, each with a short text."""

    child = Text(max_length=MAX_METADATA_TEXT, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Read metadata; raises ValidationError on too many or unusual keys."""
        values: dict[str, str] = super().to_internal_value(data)
        if len(values) > MAX_METADATA_KEYS:
            raise serializers.ValidationError(f"Send at most {MAX_METADATA_KEYS} keys.", code="too_many_keys")
        if any(_METADATA_KEY.fullmatch(key) is None for key in values):
            raise serializers.ValidationError(
                "A key has 1 to 40 letters, digits, _ . or -.", code="invalid_key"
            )
        return values


class TransferRequest(MoneyRequest):
    """Money to another person."""

    to = RecipientField(max_length=254)
    description = Text(max_length=200, default="", allow_blank=True)
    metadata = MetadataField(default=dict)
    pin = PinField()


class RecipientLookupRequest(Request):
    """Whom a sender wants to send to."""

    to = RecipientField(max_length=254)


class RecipientLookupResponse(serializers.Serializer[Any]):
    """What a sender may know before sending."""

    name = serializers.CharField()
    verified = serializers.BooleanField()
