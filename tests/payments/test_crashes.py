"""Killed between any two steps of funding, the rows that are left lead to one credit."""

import signal
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from payments import tasks
from payments.enums import AttemptStatus, IntentStatus, WebhookStatus
from payments.models import CheckoutAttempt, Payment, PaymentIntent, WebhookEvent
from payments.services import checking, inbox
from tests.factories import UserFactory
from tests.payments.gateways import (
    charge_success,
    later,
    new_intent,
    newest_attempt,
    pay,
    signature,
    started_intent,
)
from tests.sandbox.actors import Merchant
from tests.transactions.money import main_wallet
from tests.users.parallel import run_in_process

pytestmark = pytest.mark.usefixtures("committed_db")

SETTINGS = """
from django.conf import settings
url, _, argument = argument.partition(" ")
settings.PAYSTACK_BASE_URL = url + "/paystack"
settings.PAYSTACK_SECRET_KEY = "sk_test_0123456789abcdef"
"""
CREATE = """
from decimal import Decimal
from django.utils import timezone
from payments.services import PaymentService
from users.models import User
PaymentService.create_payment_intent(user=User.objects.get(pk=argument), amount=Decimal("2500.00"),
    currency="NGN", gateway="paystack", now=timezone.now())
"""
START = "from payments import tasks; tasks.start_checkout(argument)"
PROCESS = "from payments import tasks; tasks.process_webhook_async(argument)"
RECEIVE = """
from django.utils import timezone
from payments.services import PaymentService
signature, _, body = argument.partition(" ")
PaymentService.receive_webhook(vendor="paystack", raw=body.encode(), headers={"x-paystack-signature": signature},
    now=timezone.now())
"""


def killed(at: str, code: str, argument: str, vendor: Merchant, folder: Path) -> None:
    """Run the code in a process that kills itself at the named point."""
    (folder / f"{at}.kill").touch()
    ended = run_in_process(SETTINGS + code, f"{vendor.url} {argument}", crash_points=folder)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def is_credited_once(intent: PaymentIntent) -> None:
    intent.refresh_from_db()
    assert intent.status == IntentStatus.SUCCEEDED
    assert main_wallet(intent.user).balance == Decimal("2500")
    assert Payment.objects.count() == 1


def test_after_the_intent_is_stored_the_sweep_starts_the_checkout(vendor: Merchant, tmp_path: Path) -> None:
    user = UserFactory()
    killed("payments.intent_stored", CREATE, str(user.pk), vendor, tmp_path)
    intent = PaymentIntent.objects.get()
    assert checking.sweep(now=timezone.now()) == 1
    tasks.start_checkout(str(intent.pk))
    pay(vendor, intent)
    checking.verify_intent(user=user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
    is_credited_once(intent)


def test_an_answered_checkout_whose_link_was_not_stored_begins_again(
    vendor: Merchant, tmp_path: Path
) -> None:
    intent = new_intent()
    killed("payments.vendor_answered", START, str(intent.pk), vendor, tmp_path)
    assert checking.sweep(now=timezone.now()) == 0, "the lease of the dead worker still holds"
    with later(100):
        assert checking.sweep(now=timezone.now()) == 1
        tasks.start_checkout(str(intent.pk))
        tasks.start_checkout(str(intent.pk))
    statuses = list(CheckoutAttempt.objects.order_by("number").values_list("status", flat=True))
    assert statuses == [AttemptStatus.LOST, AttemptStatus.OPEN]
    pay(vendor, intent)
    checking.verify_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
    is_credited_once(intent)


def test_a_stored_webhook_whose_job_never_rang_is_swept(vendor: Merchant, tmp_path: Path) -> None:
    intent = started_intent()
    pay(vendor, intent)
    body = charge_success(newest_attempt(intent).reference)
    killed("payments.webhook_stored", RECEIVE, f"{signature(body)} {body.decode()}", vendor, tmp_path)
    assert inbox.sweep(now=timezone.now()) == 1
    tasks.process_webhook_async(str(WebhookEvent.objects.get().pk))
    is_credited_once(intent)


@pytest.mark.parametrize("at", ["payments.verified", "payments.before_credit_commit"])
def test_verified_and_not_credited_is_credited_by_the_next_worker(
    vendor: Merchant, tmp_path: Path, at: str
) -> None:
    intent = started_intent()
    pay(vendor, intent)
    body = charge_success(newest_attempt(intent).reference)
    inbox.receive_webhook(
        vendor="paystack", raw=body, headers={"x-paystack-signature": signature(body)}, now=timezone.now()
    )
    event = WebhookEvent.objects.get()
    killed(at, PROCESS, str(event.pk), vendor, tmp_path)
    assert Payment.objects.count() == 0
    assert main_wallet(intent.user).balance == 0
    with later(130):
        assert inbox.sweep(now=timezone.now()) == 1
        tasks.process_webhook_async(str(event.pk))
    is_credited_once(intent)
    event.refresh_from_db()
    assert event.status == WebhookStatus.PROCESSED
