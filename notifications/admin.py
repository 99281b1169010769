"""Staff read events and what people were told; nobody edits either."""

from django.contrib import admin

from fintech_core.admin import ReadOnlyModelAdmin
from notifications.models import Delivery, Event, Message


@admin.register(Event)
class EventAdmin(ReadOnlyModelAdmin):
    """The outbox: what happened, and whether it was told."""

    list_display = ("id", "type", "user_id", "created_at", "relayed_at", "parked_at", "attempts")
    list_filter = ("type", ("parked_at", admin.EmptyFieldListFilter))
    search_fields = ("=public_id", "=user__id")
    ordering = ("-id",)


@admin.register(Message)
class MessageAdmin(ReadOnlyModelAdmin):
    """What stands in people's inboxes."""

    list_display = ("id", "type", "user_id", "title", "created_at", "read_at")
    list_filter = ("category", "type")
    search_fields = ("user_id__exact",)
    ordering = ("-created_at", "-id")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyModelAdmin):
    """What left the house, with the text as it was sent."""

    list_display = ("id", "channel", "recipient", "subject", "status", "attempts", "created_at", "sent_at")
    list_filter = ("status", "channel")
    search_fields = ("=recipient",)
    ordering = ("-created_at", "-id")
