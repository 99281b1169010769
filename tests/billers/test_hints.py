"""VTpass's webhooks: anybody may have written them, so they lead to a question and to nothing else."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billers import services, tasks
from billers.enums import AttemptState, BillStatus
from billers.models import BillAttempt, BillPayment
from payments.enums import WebhookStatus
from payments.models import WebhookEvent
from tests.billers import bench
from tests.billers.scripted import DELIVERED, NOT_FOUND, PENDING, Script, answer, scripted
from tests.factories import StaffFactory
from transactions.models import Transaction

pytestmark = pytest.mark.usefixtures("committed_db")
TOKEN = "a-long-random-token"
HELD = (Decimal(50000), Decimal(10000))
PAID = (Decimal(40000), Decimal(0))
GIVEN_BACK = (Decimal(50000), Decimal(0))


@pytest.fixture
def script(settings: Settings) -> Iterator[Script]:
    """A vendor that answers by script, and may send webhooks."""
    settings.VTPASS_WEBHOOK_TOKEN = TOKEN
    bench.close_circuit()
    with scripted(settings) as made:
        yield made
    bench.close_circuit()


def body_about(reference: str, code: str = "000", status: str = "delivered", **more: Any) -> bytes:
    """Write what VTpass sends when an order was resolved."""
    data = answer(code, status, requestId=reference, **more)
    return json.dumps({"type": "transaction-update", "data": data}).encode()


def hinted(body: bytes) -> WebhookEvent:
    """Deliver a webhook and let its job run."""
    answered = Client().post(
        f"/api/v1/payments/webhooks/vtpass/{TOKEN}", body, content_type="application/json"
    )
    assert (answered.status_code, answered.json()) == (200, {"response": "success"})
    event = WebhookEvent.objects.latest("received_at")
    tasks.process_vendor_hint(str(event.pk))
    event.refresh_from_db()
    return event


def reference_of(payment: BillPayment) -> str:
    return bench.attempt_of(payment).vendor_reference


class TestOpenOrders:
    def test_a_true_hint_settles_the_payment_at_once(self, script: Script) -> None:
        script.say(PENDING, DELIVERED)
        payment = bench.work(bench.new_payment())
        event = hinted(body_about(reference_of(payment)))
        assert event.status == WebhookStatus.PROCESSED
        payment.refresh_from_db()
        assert payment.next_check_at is not None
        assert payment.next_check_at <= timezone.now()
        assert bench.work(payment).status == BillStatus.COMPLETED
        assert bench.wallet_of(payment.user) == PAID

    @pytest.mark.parametrize(
        ("code", "status"), [("000", "delivered"), ("016", "failed"), ("040", "reversed")]
    )
    def test_a_forged_hint_changes_nothing_but_when_is_asked(
        self, script: Script, code: str, status: str
    ) -> None:
        script.say(PENDING)
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        forged = {"amount": "1", "total_amount": 1}
        hinted(
            body_about(
                reference_of(payment), code, status, order=forged, token="Token : 99999999999999999999"
            )
        )
        bench.work(payment)
        assert bench.fingerprint() == before
        assert (payment.status, payment.token, bench.wallet_of(payment.user)) == ("processing", None, HELD)

    def test_the_token_is_the_one_that_the_vendor_tells_us(self, script: Script) -> None:
        script.say(PENDING, DELIVERED)
        payment = bench.work(bench.new_payment())
        hinted(body_about(reference_of(payment), token="Token : 99999999999999999999", purchased_code=""))
        assert str(bench.work(payment).token) == "26362054405982757802"

    def test_a_hint_lets_a_payment_out_of_review_when_there_is_an_answer(self, script: Script) -> None:
        script.say(PENDING, PENDING, DELIVERED)
        payment = bench.work(bench.new_payment())
        bench.work(payment, after_s=86_500)
        assert payment.needs_review
        hinted(body_about(reference_of(payment)))
        assert bench.work(payment).status == BillStatus.COMPLETED
        assert (payment.needs_review, payment.review_reason) == (False, "")

    def test_a_hint_sends_no_order_that_waits_to_be_sent_again(self, script: Script) -> None:
        script.say(answer("019", None), NOT_FOUND)
        payment = bench.work(bench.new_payment())
        due = payment.next_check_at
        assert bench.attempt_of(payment).state == AttemptState.NOT_SENT
        hinted(body_about(reference_of(payment)))
        payment.refresh_from_db()
        assert payment.next_check_at == due
        bench.work(payment)
        assert script.operations() == ["pay", "requery"]

    def test_an_order_that_waits_to_be_sent_again_and_was_delivered_is_paid_once(
        self, script: Script
    ) -> None:
        script.say(answer("019", None), DELIVERED)
        payment = bench.work(bench.new_payment())
        hinted(body_about(reference_of(payment)))
        payment.refresh_from_db()
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.COMPLETED, PAID)
        bench.work(payment, after_s=60)
        assert script.operations() == ["pay", "requery"]

    def test_an_older_order_that_was_delivered_pays_the_bill(self, script: Script) -> None:
        script.say(b"", DELIVERED)
        payment = bench.work(bench.new_payment())
        first = bench.attempt_of(payment)
        BillAttempt.objects.filter(pk=first.pk).update(state=AttemptState.NOT_SENT)
        BillAttempt.objects.create(
            payment=payment, number=2, vendor="vtpass", vendor_reference="second", created_at=timezone.now()
        )
        hinted(body_about(first.vendor_reference))
        payment.refresh_from_db()
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.COMPLETED, PAID)
        assert script.operations() == ["pay", "requery"]


class TestFinalPayments:
    def test_a_late_delivery_is_our_loss_once_however_often_it_is_told(self, script: Script) -> None:
        script.say(answer("016", "failed"), DELIVERED)
        payment = bench.work(bench.new_payment())
        assert bench.wallet_of(payment.user) == GIVEN_BACK
        for repeat in range(3):
            assert hinted(body_about(reference_of(payment), amount=repeat)).status == WebhookStatus.PROCESSED
        payment.refresh_from_db()
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.FAILED, GIVEN_BACK)
        [booked] = Transaction.objects.filter(source_kind="late_delivery")
        assert booked.amount == Decimal(9850)

    def test_a_forged_delivery_of_a_failed_payment_books_nothing(self, script: Script) -> None:
        script.say(answer("016", "failed"))
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        hinted(body_about(reference_of(payment)))
        assert bench.fingerprint() == before

    def test_a_true_reversal_of_a_delivered_payment_is_looked_at_and_closed_by_staff(
        self, script: Script
    ) -> None:
        script.say(DELIVERED, answer("040", "reversed"))
        payment = bench.work(bench.new_payment())
        hinted(body_about(reference_of(payment), "040", "reversed"))
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == (BillStatus.COMPLETED, True)
        services.close_review(payment_id=payment.pk, actor=StaffFactory(), reason="Claimed, case 4711")
        payment.refresh_from_db()
        assert (payment.needs_review, bench.wallet_of(payment.user)) == (False, PAID)

    def test_a_forged_reversal_changes_nothing(self, script: Script) -> None:
        script.say(DELIVERED)
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        hinted(body_about(reference_of(payment), "040", "reversed"))
        payment.refresh_from_db()
        assert (payment.needs_review, bench.fingerprint()) == (False, before)

    def test_a_silent_vendor_is_asked_again_later(self, script: Script) -> None:
        script.say(answer("016", "failed"), b"<html>", DELIVERED)
        payment = bench.work(bench.new_payment())
        event = hinted(body_about(reference_of(payment)))
        assert (event.status, event.outcome) == (WebhookStatus.RECEIVED, "no_answer")
        assert event.next_check_at is not None
        with time_machine.travel(event.next_check_at + timedelta(seconds=1), tick=True):
            tasks.process_vendor_hint(str(event.pk))
        event.refresh_from_db()
        assert event.status == WebhookStatus.PROCESSED
        assert Transaction.objects.filter(source_kind="late_delivery").count() == 1


class TestStrangers:
    def test_a_reference_that_nobody_knows_waits_for_our_own_commit(self, script: Script) -> None:
        script.say(DELIVERED)
        before = bench.fingerprint()
        event = hinted(body_about("202611210000nobody"))
        assert (event.status, event.outcome) == (WebhookStatus.DEFERRED, "not_known_yet")
        assert (bench.fingerprint(), script.asked) == (before, [])

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"\xff", b'{"type":"transaction-update"}', b'{"type":"variations-update"}'],
    )
    def test_what_names_no_order_is_answered_and_asks_nobody(self, script: Script, body: bytes) -> None:
        script.say(DELIVERED)
        bench.new_payment()
        before = bench.fingerprint()
        hinted(body)
        assert (bench.fingerprint(), script.asked) == (before, [])

    def test_whoever_does_not_know_the_address_gets_nothing_stored(self, script: Script) -> None:
        payment = bench.new_payment()
        answered = Client().post(
            "/api/v1/payments/webhooks/vtpass/guess",
            body_about(reference_of(payment)),
            content_type="application/json",
        )
        assert (answered.status_code, WebhookEvent.objects.count()) == (404, 0)
