"""Shapes of requests and answers."""

from typing import Any

from rest_framework import serializers

from fintech_core.serializers import QueryParameters, Request, Text
from notifications.models import Delivery, Message


class NothingRequest(Request):
    """A POST that needs no body: nothing, or an empty object."""


class MessageResponse(serializers.ModelSerializer[Message]):
    """One message of the inbox. ``data`` is the payload of its event, as ``/events/types`` describes it."""

    read = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = ("id", "type", "category", "title", "body", "data", "read", "read_at", "created_at")
        read_only_fields = fields

    def get_read(self, message: Message) -> bool:
        """Say whether the person has read it."""
        return message.read_at is not None


class UnreadCountResponse(serializers.Serializer[Any]):
    """How many messages are unread."""

    unread_count = serializers.IntegerField(min_value=0)


class EventTypeResponse(serializers.Serializer[Any]):
    """One kind of event: what it means, what its payload carries, and how its user is told."""

    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    fields_always = serializers.ListField(child=serializers.CharField(), source="fields")
    fields_optional = serializers.ListField(child=serializers.CharField(), source="optional")
    channels = serializers.ListField(child=serializers.CharField())


class SandboxMessagesQuery(QueryParameters):
    """Whose messages to show."""

    to = Text(max_length=254)

    def validate_to(self, value: str) -> str:
        """Look addresses up as they are stored."""
        return value.lower()


class SandboxMessageResponse(serializers.ModelSerializer[Delivery]):
    """One message that left the house, or would have."""

    to = serializers.CharField(source="recipient")

    class Meta:
        model = Delivery
        fields = ("id", "channel", "to", "subject", "body", "status", "created_at", "sent_at")
        read_only_fields = fields
