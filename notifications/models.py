"""Tables of events and of what people were told.

``Event`` is the outbox: one row a fact, written in the transaction that makes it true, and the queue of the
relay at the same time. The relay fans an event out once, into ``Message`` rows (the inbox in the app) and
``Delivery`` rows (what leaves the house), in the transaction that marks the event as relayed. A ``Delivery``
is the queue of whoever sends it.

Users are referenced without a database constraint: checking one would lock a row that every request of that
person needs, and events outlive whom they speak of.

``due_at`` of a queue row is both its lease and its back-off: whoever claims a row moves it into the future
and counts the attempt in a commit of its own, so that a row that kills its process is counted too.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from fintech_core.fields import UuidKey
from fintech_core.ids import uuid7
from notifications.enums import Category, Channel, DeliveryStatus


class Event(models.Model):
    """Something that happened, told once. ``id`` orders events, behind the watermark."""

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid7, editable=False)
    type = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    payload = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    relayed_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["id"],
                condition=Q(relayed_at__isnull=True, parked_at__isnull=True),
                name="event_to_relay",
            ),
            models.Index(fields=["id"], condition=Q(parked_at__isnull=False), name="event_parked"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(relayed_at__isnull=True) | Q(parked_at__isnull=True),
                name="event_is_relayed_or_parked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"


class Message(models.Model):
    """One line in a person's inbox, rendered when its event was relayed."""

    id = UuidKey()
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="messages", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    type = models.CharField(max_length=60)
    category = models.CharField(max_length=20, choices=Category.choices)
    title = models.CharField(max_length=200)
    body = models.TextField()
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="message_inbox"),
            models.Index(fields=["user"], condition=Q(read_at__isnull=True), name="message_unread"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "user"], name="message_once_per_event_and_user"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class Delivery(models.Model):
    """One text on its way out of the house to one address, sent at least once (see ``delivery.py``)."""

    id = UuidKey()
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    channel = models.CharField(max_length=10, choices=Channel.choices)
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"], condition=Q(status=DeliveryStatus.PENDING), name="delivery_to_send"
            ),
            models.Index(fields=["recipient", "-created_at", "-id"], name="delivery_by_recipient"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["event", "channel", "recipient"], name="delivery_once_per_event_and_address"
            ),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="delivery_channel_is_known"),
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="delivery_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.SENT, sent_at__isnull=False)
                | (~Q(status=DeliveryStatus.SENT) & Q(sent_at__isnull=True)),
                name="delivery_sent_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.id}"
