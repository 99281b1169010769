"""What may not be concluded: answers that fail, contradict themselves, come too late or to the wrong worker."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from billers import tasks
from billers.enums import AttemptState, BillStatus
from billers.models import BillAttempt, BillPayment
from billers.providers.base import PurchaseResult
from billers.services import processing, settlement
from billers.services.readings import Reading
from cashback.models import Reward
from fintech_core.models import AuditRecord
from fintech_core.outcomes import Outcome
from tests.billers import bench
from tests.billers.scripted import DELIVERED, NOT_FOUND, PENDING, Script, answer, scripted
from tests.factories import StaffFactory
from transactions.models import Transaction

pytestmark = pytest.mark.usefixtures("committed_db")
HELD = (Decimal(50000), Decimal(10000))
PAID = (Decimal(40000), Decimal(0))
GIVEN_BACK = (Decimal(50000), Decimal(0))


@pytest.fixture
def script(settings: Settings) -> Iterator[Script]:
    """A vendor that answers by script."""
    bench.close_circuit()
    with scripted(settings) as made:
        yield made
    bench.close_circuit()


def asked(payment: BillPayment) -> BillPayment:
    """Let a worker ask when the payment is due."""
    assert payment.next_check_at is not None
    return bench.work(payment, after_s=(payment.next_check_at - timezone.now()).total_seconds() + 0.1)


def told(attempt: BillAttempt, outcome: Outcome, code: str = "delivered", **facts: Any) -> None:
    """Settle a reading that no claim asked for, as a hint does."""
    amounts = {"amount": Decimal(10000), "cost": Decimal(9850), "token": "26362054405982757802"}
    result = PurchaseResult(outcome, attempt.vendor_reference, code, **{**amounts, **facts})
    settlement.settle(
        attempt_id=attempt.pk, lease_number=None, reading=Reading.of(result), now=timezone.now()
    )


def second_order(payment: BillPayment, state: str = AttemptState.SENT) -> BillAttempt:
    """Give a payment another order that left under a new reference."""
    return BillAttempt.objects.create(
        payment=payment, number=2, vendor="vtpass", vendor_reference="202611210000second", state=state,
        created_at=timezone.now(), sent_at=timezone.now(),
    )  # fmt: skip


class TestQuestions:
    """A question that fails says nothing about the order that it asks about."""

    def test_no_connection_for_a_question_releases_nothing_and_sends_nothing(
        self, script: Script, settings: Settings
    ) -> None:
        script.say(b"<html>")
        payment = bench.work(bench.new_payment())
        there, settings.VTPASS_BASE_URL = settings.VTPASS_BASE_URL, "http://127.0.0.1:9"
        for _ in range(4):
            asked(payment)
            attempt = bench.attempt_of(payment)
            assert (payment.status, attempt.state, attempt.number) == ("processing", AttemptState.SENT, 1)
        assert bench.wallet_of(payment.user) == HELD
        settings.VTPASS_BASE_URL = there
        script.say(DELIVERED)
        assert asked(payment).status == BillStatus.COMPLETED
        assert script.operations() == ["pay", "requery"]
        assert bench.wallet_of(payment.user) == PAID

    def test_an_answer_that_names_no_order_gives_nothing_back(self, script: Script) -> None:
        script.say(PENDING, answer("016", None, requestId=...), answer("016", "failed", requestId=...))
        payment = bench.work(bench.new_payment())
        asked(payment)
        asked(payment)
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.PROCESSING, HELD)

    @pytest.mark.parametrize(
        "refusal", [answer("016", None), answer("016", "failed"), answer("000", "failed"), answer("040", "reversed")]
    )  # fmt: skip
    def test_a_refusal_of_our_order_gives_the_money_back(
        self, script: Script, refusal: dict[str, Any]
    ) -> None:
        script.say(PENDING, refusal)
        payment = asked(bench.work(bench.new_payment()))
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.FAILED, GIVEN_BACK)
        assert bench.attempt_of(payment).state == AttemptState.DECLINED

    @pytest.mark.parametrize("code", ["016", "091", "040"])
    @pytest.mark.parametrize("status", ["delivered", "pending", "initiated", "resolved", "odd"])
    def test_an_answer_that_contradicts_itself_gives_nothing_back(
        self, script: Script, code: str, status: str
    ) -> None:
        script.say(PENDING, answer(code, status))
        payment = asked(bench.work(bench.new_payment()))
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.PROCESSING, HELD)
        assert bench.attempt_of(payment).outcome_code == "contradiction"

    def test_an_order_that_was_seen_is_never_taken_for_one_that_did_not_arrive(self, script: Script) -> None:
        script.say(PENDING, NOT_FOUND)
        payment = bench.work(bench.new_payment())
        for _ in range(4):
            asked(payment)
        attempt = bench.attempt_of(payment)
        assert (payment.status, payment.sends, attempt.not_found_readings) == ("processing", 1, 4)
        assert attempt.seen_at is not None
        assert (script.operations().count("pay"), bench.wallet_of(payment.user)) == (1, HELD)

    def test_not_found_counts_anew_after_an_order_was_sent_again(self, script: Script) -> None:
        script.say(b"", NOT_FOUND, NOT_FOUND, b"", NOT_FOUND)
        payment = bench.work(bench.new_payment())
        asked(payment)
        asked(payment)
        assert (payment.sends, bench.attempt_of(payment).state) == (1, AttemptState.NOT_SENT)
        asked(payment)
        assert (payment.sends, bench.attempt_of(payment).state) == (2, AttemptState.SENT)
        asked(payment)
        attempt = bench.attempt_of(payment)
        assert (attempt.not_found_readings, payment.status) == (1, BillStatus.PROCESSING)
        assert bench.wallet_of(payment.user) == HELD


class TestProof:
    """Delivered is what comes with the right amount and the token; until then the money is held."""

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"order": {"amount": "9999"}}, "amount_differs"),
            ({"order": {"amount": None}}, "amount_differs"),
            ({"order": {"unique_element": "1111111111112"}}, "customer_differs"),
            ({"token": "N/A", "purchased_code": ""}, "token_missing"),
            ({"requestId": "202611210000another"}, "wrong_reference"),
            ({"requestId": ...}, "wrong_reference"),
        ],
    )
    def test_what_is_not_proved_is_asked_about_until_it_is(
        self, script: Script, changes: dict[str, Any], code: str
    ) -> None:
        script.say(answer(**changes), DELIVERED)
        payment = bench.work(bench.new_payment())
        assert (payment.status, bench.attempt_of(payment).outcome_code) == ("processing", code)
        assert bench.wallet_of(payment.user) == HELD
        assert (asked(payment).status, bench.wallet_of(payment.user)) == (BillStatus.COMPLETED, PAID)
        assert script.operations() == ["pay", "requery"]

    @pytest.mark.parametrize("cost", [0, 10001, "N/A", None, "-5"])
    def test_a_cost_that_cannot_be_is_booked_as_the_amount(self, script: Script, cost: object) -> None:
        script.say(answer(order={"total_amount": cost}))
        payment = bench.work(bench.new_payment())
        assert (payment.status, payment.cost) == (BillStatus.COMPLETED, Decimal(10000))
        assert bench.wallet_of(payment.user) == PAID

    def test_long_and_odd_words_of_the_vendor_are_cut_to_fit(self, script: Script) -> None:
        odd = "\u202e<b>" + "é" * 2000
        script.say(answer(units=odd, response_description=odd, order={"transactionId": odd}))
        payment = bench.work(bench.new_payment())
        assert payment.status == BillStatus.COMPLETED
        assert (len(payment.units), len(bench.attempt_of(payment).vendor_id)) == (40, 64)
        assert "<" not in payment.units


class TestLeases:
    def test_a_worker_that_slept_past_its_lease_sends_nothing(self, script: Script) -> None:
        script.say(NOT_FOUND)
        payment = bench.new_payment()
        claim = processing.claim_payment(payment.pk)
        assert claim is not None
        assert claim.sends
        with time_machine.travel(timezone.now() + processing.LEASE + timedelta(seconds=1), tick=True):
            processing.carry_out(claim)
        assert script.operations() == []
        later = processing.LEASE.total_seconds() + 2
        bench.work(payment, after_s=later)
        assert script.operations() == ["requery"]

    @pytest.mark.parametrize(
        "outcome", [Outcome.DECLINED, Outcome.NOT_SENT, Outcome.REVERSED, Outcome.PENDING]
    )
    def test_a_superseded_reading_moves_nothing(self, script: Script, outcome: Outcome) -> None:
        script.say(PENDING)
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        settlement.settle(
            attempt_id=bench.attempt_of(payment).pk,
            lease_number=payment.lease_number - 1,
            reading=Reading(outcome, "refused"),
            now=timezone.now(),
        )
        assert bench.fingerprint() == before

    def test_a_superseded_delivery_is_a_delivery(self, script: Script) -> None:
        script.say(b"")
        payment = bench.work(bench.new_payment())
        told(bench.attempt_of(payment), Outcome.SUCCEEDED)
        payment.refresh_from_db()
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.COMPLETED, PAID)


class TestAfterTheEnd:
    def test_a_refusal_after_delivery_moves_nothing_and_is_looked_at(self, script: Script) -> None:
        script.say(DELIVERED)
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        told(bench.attempt_of(payment), Outcome.REVERSED, "reversed")
        payment.refresh_from_db()
        assert (payment.needs_review, payment.review_reason) == (
            True, "The vendor says reversed after it delivered.",
        )  # fmt: skip
        assert bench.fingerprint() == before
        assert AuditRecord.objects.filter(action="bill_payment.needs_review").count() == 1

    @pytest.mark.parametrize("facts", [{"amount": Decimal(9999)}, {"token": None}])
    def test_a_late_delivery_that_is_not_believed_is_looked_at(
        self, script: Script, facts: dict[str, Any]
    ) -> None:
        script.say(answer("016", "failed"))
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        told(bench.attempt_of(payment), Outcome.SUCCEEDED, **facts)
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == (BillStatus.FAILED, True)
        assert bench.fingerprint() == before

    def test_a_delivery_beside_an_open_order_waits_for_a_person(self, script: Script) -> None:
        script.say(b"")
        payment = bench.work(bench.new_payment())
        first = bench.attempt_of(payment)
        BillAttempt.objects.filter(pk=first.pk).update(state=AttemptState.NOT_SENT)
        second_order(payment)
        told(first, Outcome.SUCCEEDED)
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == (BillStatus.COMPLETED, True)
        assert bench.wallet_of(payment.user) == PAID

    @pytest.mark.parametrize(
        ("said", "state", "booked"),
        [
            (DELIVERED, AttemptState.DELIVERED, 1),
            (answer("016", "failed"), AttemptState.DECLINED, 0),
            (answer("091", None), AttemptState.NOT_SENT, 0),
            (PENDING, AttemptState.SENT, 0),
        ],
    )
    def test_an_order_that_stayed_open_is_asked_about_until_it_is_closed(
        self, script: Script, said: dict[str, Any], state: str, booked: int
    ) -> None:
        script.say(DELIVERED, said)
        payment = bench.work(bench.new_payment())
        left = second_order(payment)
        processing.check_now(payment_id=payment.pk, actor=StaffFactory(), reason="Case 4711")
        for _ in range(2):
            tasks.check(str(payment.pk))
        left.refresh_from_db()
        assert left.state == state
        assert Transaction.objects.filter(source_kind="late_delivery").count() == booked
        assert Reward.objects.count() == 1
        assert bench.wallet_of(payment.user) == PAID
