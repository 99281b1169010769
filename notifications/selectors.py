"""Reads. A person's messages are found by their owner only."""

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from fintech_core.exceptions import NotFound
from notifications.catalogue import CATALOGUE, EventType
from notifications.models import Delivery, Message


def messages_for(*, user_id: UUID) -> QuerySet[Message]:
    """Select a person's messages."""
    return Message.objects.filter(user_id=user_id)


def get_message_for(*, user_id: UUID, message_id: UUID) -> Message:
    """Return one of a person's messages. Raises NotFound when it does not exist or is not theirs."""
    message = messages_for(user_id=user_id).filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such notification.")
    return message


def unread_count(*, user_id: UUID) -> int:
    """Count a person's unread messages."""
    return messages_for(user_id=user_id).filter(read_at=None).count()


def public_event_types() -> list[EventType]:
    """Return the event types that clients may know, by name."""
    return sorted((kind for kind in CATALOGUE.values() if not kind.internal), key=lambda kind: kind.name)


def require_sandbox() -> None:
    """Raise NotFound where messages really go out: nobody reads them but their recipients."""
    if settings.PRODUCTION or settings.OTP_MODE != "sandbox":
        raise NotFound


def sandbox_messages(*, to: str) -> QuerySet[Delivery]:
    """Select what was written to an address. Raises NotFound outside of the sandbox."""
    require_sandbox()
    return Delivery.objects.filter(recipient=to)
