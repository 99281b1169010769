"""The inbox: what is let in, stored once, and what becomes of it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.models import AuditRecord
from payments import tasks
from payments.enums import IntentStatus, WebhookStatus
from payments.errors import WebhookNotDead
from payments.models import Payment, WebhookEvent
from payments.services import inbox
from tests.factories import UserFactory
from tests.payments.gateways import (
    KEY,
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
from tests.users.parallel import in_parallel

URL = "/api/v1/payments/webhooks/paystack"
VTPASS_URL = "/api/v1/payments/webhooks/vtpass/"
BODY = charge_success("FND-nobody.1")


@pytest.fixture(autouse=True)
def _key(settings: Settings) -> None:
    settings.PAYSTACK_SECRET_KEY = KEY
    settings.VTPASS_WEBHOOK_TOKEN = "the-token"


def deliver(body: bytes, given: str | None = "", url: str = URL) -> Any:
    """POST as a gateway does; the right signature unless another one, or None, is given."""
    headers = {} if given is None else {"x-paystack-signature": given or signature(body)}
    return Client().post(url, body, content_type="application/json", headers=headers)


def wrong_signatures() -> dict[str, str | None]:
    right = signature(BODY)
    raw = hmac.new(KEY.encode(), BODY, hashlib.sha512).digest()
    return {
        "none": None,
        "short": right[:-2],
        "long": right + "00",
        "capitals": right.upper(),
        "base64 for hex": base64.b64encode(raw).decode(),
        "of another body": signature(BODY + b" "),
        "of another key": signature(BODY, "sk_test_of_somebody_else"),
        "sha256": hmac.new(KEY.encode(), BODY, hashlib.sha256).hexdigest(),
    }


@pytest.mark.django_db
class TestDoor:
    @pytest.mark.parametrize("case", sorted(wrong_signatures()))
    def test_10_01_a_wrong_signature_is_401_and_stores_nothing(self, case: str) -> None:
        response = deliver(BODY, wrong_signatures()[case])
        assert (response.status_code, response.json()["code"]) == (401, "invalid_signature")
        assert WebhookEvent.objects.count() == 0

    def test_an_empty_body_without_signature_is_401(self) -> None:
        assert deliver(b"", None).status_code == 401

    @pytest.mark.parametrize(
        "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
    )
    def test_reads_the_bytes_whatever_they_are_called(self, content_type: str) -> None:
        response = Client(enforce_csrf_checks=True).generic(
            "POST", URL, BODY, content_type=content_type,
            headers={"x-paystack-signature": signature(BODY), "accept": "text/html"},
        )  # fmt: skip
        assert (response.status_code, response.json()) == (200, {"received": True})
        assert WebhookEvent.objects.get().subject == "FND-nobody.1"

    def test_more_than_a_megabyte_is_413(self) -> None:
        assert deliver(b"x" * 1_000_001).status_code == 413
        assert WebhookEvent.objects.count() == 0

    def test_signed_nonsense_is_kept_and_ignored(self) -> None:
        assert deliver(b"\xff\xfe{").status_code == 200
        assert WebhookEvent.objects.get().status == WebhookStatus.IGNORED

    def test_a_family_without_a_job_is_ignored(self) -> None:
        assert deliver(b'{"event":"invoice.create","data":{"id":1}}').status_code == 200
        event = WebhookEvent.objects.get()
        assert (event.family, event.status, event.next_check_at) == ("invoice", WebhookStatus.IGNORED, None)

    def test_10_05_the_same_event_with_another_amount_keeps_the_first(self) -> None:
        deliver(BODY)
        assert deliver(charge_success("FND-nobody.1", amount=99)).status_code == 200
        assert json.loads(WebhookEvent.objects.get().body)["data"]["amount"] == 250000

    def test_bodies_are_encrypted_and_headers_hold_no_signature(self) -> None:
        deliver(charge_success("FND-nobody.1", customer={"email": "ada@example.com"}))
        event = WebhookEvent.objects.get()
        assert "x-paystack-signature" not in event.headers
        raw = WebhookEvent.objects.extra(select={"cipher": "body"}).values_list("cipher", flat=True)[0]
        assert b"ada@example.com" not in bytes(raw)


@pytest.mark.django_db
class TestVtpassDoor:
    HINT = b'{"type":"transaction-update","data":{"code":"000","requestId":"202603011200x1"}}'

    def test_the_token_lets_a_hint_in_once(self) -> None:
        for _ in range(2):
            response = deliver(self.HINT, None, f"{VTPASS_URL}the-token")
            assert (response.status_code, response.json()) == (200, {"response": "success"})
        event = WebhookEvent.objects.get()
        assert (event.vendor, event.family, event.subject, event.trust) == (
            "vtpass", "transaction-update", "202603011200x1", "hint",
        )  # fmt: skip

    @pytest.mark.parametrize("token", ["the-tokeN", "the-token2", "x", "%C3%A9"])
    def test_another_token_is_404_and_stores_nothing(self, token: str) -> None:
        assert deliver(self.HINT, None, f"{VTPASS_URL}{token}").status_code == 404
        assert WebhookEvent.objects.count() == 0


@pytest.mark.usefixtures("committed_db")
class TestProcessing:
    def stored(self, reference: str, **data: Any) -> WebhookEvent:
        assert deliver(charge_success(reference, **data)).status_code == 200
        return WebhookEvent.objects.latest("received_at")

    def test_a_confirmed_payment_is_credited(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        event = self.stored(newest_attempt(intent).reference)
        tasks.process_webhook_async(str(event.pk))
        tasks.process_webhook_async(str(event.pk))
        intent.refresh_from_db()
        event.refresh_from_db()
        assert (intent.status, event.status) == (IntentStatus.SUCCEEDED, WebhookStatus.PROCESSED)
        assert main_wallet(intent.user).balance == Decimal("2500")

    def test_a_signed_lie_about_an_unpaid_checkout_credits_nothing(self, vendor: Merchant) -> None:
        intent = started_intent()
        event = self.stored(newest_attempt(intent).reference, amount=99_999_999)
        tasks.process_webhook_async(str(event.pk))
        intent.refresh_from_db()
        event.refresh_from_db()
        assert (intent.status, event.status) == (IntentStatus.PENDING, WebhookStatus.RECEIVED)
        assert Payment.objects.count() == 0

    def test_the_same_webhook_100_times_is_one_row_and_one_credit(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        body = charge_success(newest_attempt(intent).reference)

        def send(number: int) -> str:
            codes = {deliver(body).status_code for _ in range(5)}
            tasks.process_webhook_async(str(WebhookEvent.objects.get().pk))
            return str(codes)

        assert in_parallel(20, send) == ["{200}"] * 20
        assert WebhookEvent.objects.count() == Payment.objects.count() == 1
        assert main_wallet(intent.user).balance == Decimal("2500")

    def test_10_11_an_event_before_our_own_row_is_credited_later(self, vendor: Merchant) -> None:
        event = self.stored("FND-early.1")
        tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.DEFERRED
        intent = new_intent()
        intent.attempts.update(reference="FND-early.1")
        tasks.start_checkout(str(intent.pk))
        pay(vendor, intent)
        with later(3):
            assert inbox.sweep(now=timezone.now()) == 1
            tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.PROCESSED
        assert main_wallet(intent.user).balance == Decimal("2500")

    def test_10_07_an_unknown_reference_dies_with_an_alarm_and_credits_nobody(
        self, vendor: Merchant, capfd: pytest.CaptureFixture[str]
    ) -> None:
        event = self.stored("FND-nobody.1")
        with later(16 * 60):
            tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.DEAD
        assert Payment.objects.count() == 0

    def test_a_dead_event_is_looked_at_again_when_staff_say_so(self, vendor: Merchant) -> None:
        event = self.stored("FND-late.1")
        actor = UserFactory()
        with pytest.raises(WebhookNotDead):
            inbox.replay(event_id=event.pk, actor=actor, reason="early", now=timezone.now())
        with later(16 * 60):
            tasks.process_webhook_async(str(event.pk))
        intent = started_intent()
        intent.attempts.update(reference="FND-late.1")
        vendor.initialize("FND-late.1")
        pay(vendor, intent)
        with later(17 * 60):
            inbox.replay(event_id=event.pk, actor=actor, reason="our row was late", now=timezone.now())
            tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.PROCESSED
        assert AuditRecord.objects.get(action="webhook_event.replayed").reason == "our row was late"
        assert main_wallet(intent.user).balance == Decimal("2500")

    def test_a_gateway_that_does_not_answer_leaves_the_event_for_later(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        vendor.fault("paystack", "verify", "garbage")
        event = self.stored(newest_attempt(intent).reference)
        tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert (event.status, event.outcome) == (WebhookStatus.RECEIVED, "no_answer")
        with later(5):
            tasks.process_webhook_async(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.PROCESSED

    def test_old_finished_events_go_and_dead_ones_stay(self, vendor: Merchant) -> None:
        deliver(b'{"event":"invoice.create","data":{"id":1}}')
        dead = self.stored("FND-nobody.1")
        with later(16 * 60):
            tasks.process_webhook_async(str(dead.pk))
        with later(89 * 86400):
            tasks.cleanup_old_webhook_events()
        assert WebhookEvent.objects.count() == 2
        with later(91 * 86400):
            tasks.cleanup_old_webhook_events()
        assert WebhookEvent.objects.get().pk == dead.pk

    def test_a_clean_up_ends_after_its_batches(self, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
        monkeypatch.setattr(inbox, "CLEANUP_BATCH", 1)
        monkeypatch.setattr(inbox, "CLEANUP_BATCHES", 2)
        for number in range(3):
            deliver(b'{"event":"invoice.create","data":{"id":%d}}' % number)
        in_a_year = clock.now() + timedelta(days=365)
        assert inbox.clean_up(now=in_a_year) == 2
        assert inbox.clean_up(now=in_a_year) == 1


def test_webhook_routes_are_open_and_not_throttled(db: None, api: Callable[..., APIClient]) -> None:
    assert "RateLimit" not in deliver(BODY).headers
