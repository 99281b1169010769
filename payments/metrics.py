"""Metrics of fundings and of the inbox, and of the gateways."""

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from fintech_core import circuit, metrics
from payments.enums import IntentStatus
from payments.models import PaymentIntent, WebhookEvent


def register() -> None:
    """Register fundings and webhooks that wait for a gateway or for a job."""
    circuit.register(*settings.VENDORS["gateway"])
    metrics.register_waiting(
        "payment_intent",
        "processing",
        "fundings that the gateway calls under way",
        _processing,
        since="created_at",
    )
    metrics.register_waiting(
        "payment_intent",
        "due",
        "fundings that the gateway is to be asked about now",
        _due,
        since="next_check_at",
    )
    metrics.register_waiting(
        "webhook_event",
        "unprocessed",
        "webhooks in the inbox without an outcome",
        _unprocessed,
        since="received_at",
    )
    metrics.register_waiting(
        "webhook_event", "due", "webhooks to be acted on now", _due_events, since="next_check_at"
    )


def _processing(now: datetime) -> QuerySet[PaymentIntent]:
    return PaymentIntent.objects.filter(status=IntentStatus.PROCESSING).order_by("expires_at")


def _due(now: datetime) -> QuerySet[PaymentIntent]:
    return PaymentIntent.objects.filter(next_check_at__lte=now).order_by("next_check_at")


def _unprocessed(now: datetime) -> QuerySet[WebhookEvent]:
    # Whatever is not processed is due at some time, and that is what the index has.
    return WebhookEvent.objects.filter(next_check_at__isnull=False).order_by("next_check_at")


def _due_events(now: datetime) -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(next_check_at__lte=now).order_by("next_check_at")
