"""Reads of funding, always scoped by owner."""

import time
from uuid import UUID

from django.db.models import QuerySet

from fintech_core.exceptions import NotFound
from payments.enums import OPEN_INTENTS, IntentStatus
from payments.models import PaymentIntent, WebhookEvent
from users.models import User

POLL_INTERVAL_S = 0.05


def intents_of(*, user: User) -> "QuerySet[PaymentIntent]":
    """Return the user's payment intents."""
    return PaymentIntent.objects.filter(user=user)


def get_intent_for(*, user: User, intent_id: UUID) -> PaymentIntent:
    """Return the user's intent with this id; raises NotFound for everybody else's too."""
    intent = intents_of(user=user).filter(pk=intent_id).first()
    if intent is None:
        raise NotFound
    return intent


def wait_for_checkout(*, intent_id: UUID, wait_s: float) -> PaymentIntent:
    """Return an intent, giving the worker at most ``wait_s`` seconds to bring its link or its refusal first."""
    deadline = time.monotonic() + wait_s
    intent = PaymentIntent.objects.get(pk=intent_id)
    while _starting(intent) and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(POLL_INTERVAL_S, left))
        intent.refresh_from_db()
    return intent


def wait_for_payment(*, user: User, intent_id: UUID, wait_s: float) -> PaymentIntent:
    """Return the user's intent once it is no longer open, after ``wait_s`` seconds at the latest; raises NotFound."""
    deadline = time.monotonic() + wait_s
    intent = get_intent_for(user=user, intent_id=intent_id)
    while intent.status in OPEN_INTENTS and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(POLL_INTERVAL_S, left))
        intent.refresh_from_db()
    return intent


def _starting(intent: PaymentIntent) -> bool:
    return intent.status == IntentStatus.PENDING and not intent.checkout_url


def list_webhooks() -> "QuerySet[WebhookEvent]":
    """Return the inbox, for staff, without the encrypted bodies."""
    return WebhookEvent.objects.defer("body")
