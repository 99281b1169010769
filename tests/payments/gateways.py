"""A gateway to test against: the sandbox process with settings that point at it, and a customer who pays."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone
from pytest_django import Settings

from payments import tasks
from payments.models import CheckoutAttempt, PaymentIntent
from payments.services import PaymentService
from tests.factories import UserFactory
from tests.sandbox.actors import Merchant, SandboxProcess
from users.models import User

KEY = "sk_test_0123456789abcdef"


@contextmanager
def gateway(sandbox: SandboxProcess, settings: Settings) -> Iterator[Merchant]:
    """Point the settings at the sandbox, with an empty book."""
    settings.SANDBOX_URL = sandbox.url
    settings.PAYSTACK_BASE_URL = f"{sandbox.url}/paystack"
    settings.PAYSTACK_SECRET_KEY = KEY
    settings.VENDOR_READ_TIMEOUT_S = 2.0
    settings.RATE_LIMITS = False
    actor = Merchant(sandbox.url)
    with actor.http:
        actor.control("reset")
        yield actor


def new_intent(user: User | None = None, amount: str = "2500.00", currency: str = "NGN") -> PaymentIntent:
    """Commit an intent as the API does."""
    return PaymentService.create_payment_intent(
        user=user or UserFactory(),
        amount=Decimal(amount),
        currency=currency,
        gateway="paystack",
        now=timezone.now(),
    )


def started_intent(user: User | None = None, amount: str = "2500.00") -> PaymentIntent:
    """Commit an intent and start its checkout as the worker does."""
    intent = new_intent(user, amount)
    tasks.start_checkout(str(intent.pk))
    intent.refresh_from_db()
    assert intent.checkout_url
    return intent


def newest_attempt(intent: PaymentIntent) -> CheckoutAttempt:
    return CheckoutAttempt.objects.filter(intent=intent).latest("number")


def pay(vendor: Merchant, intent: PaymentIntent, outcome: str = "success", **more: Any) -> dict[str, Any]:
    """Act on the newest checkout as the customer; returns the gateway's transaction."""
    reference = newest_attempt(intent).reference
    paid = vendor.control("paystack/pay", reference=reference, outcome=outcome, **more)
    transaction: dict[str, Any] = paid["transaction"]
    return transaction


def signature(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def charge_success(reference: str, **data: Any) -> bytes:
    """Write a webhook body; the id is the gateway's."""
    facts = {"id": 4099260516, "reference": reference, "amount": 250000, "currency": "NGN", **data}
    return json.dumps({"event": "charge.success", "data": facts}).encode()


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)
