"""Metrics of events and messages on their way."""

from datetime import datetime

from django.db.models import QuerySet

from fintech_core import metrics
from notifications.enums import DeliveryStatus
from notifications.models import Delivery, Event


def register() -> None:
    """Register what waits to be told."""
    metrics.register_waiting(
        "event", "unrelayed", "events that nobody was told of yet", _unrelayed, since="created_at"
    )
    metrics.register_waiting("event", "parked", "events that were given up", _parked, since="created_at")
    metrics.register_waiting("delivery", "due", "e-mails to be sent now", _due, since="due_at")


def _unrelayed(now: datetime) -> QuerySet[Event]:
    return Event.objects.filter(relayed_at=None, parked_at=None).order_by("id")


def _parked(now: datetime) -> QuerySet[Event]:
    return Event.objects.filter(parked_at__isnull=False).order_by("id")


def _due(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(status=DeliveryStatus.PENDING, due_at__lte=now).order_by("due_at")
