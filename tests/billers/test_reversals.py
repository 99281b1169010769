"""A bill whose money went back says so, whoever rings, once; one of which a part went back stays paid."""

from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billers import services, tasks
from billers.enums import BillStatus
from billers.models import BillPayment
from billers.rendering import answer, render
from billers.services import settlement
from billers.services.readings import Reading
from cashback.tasks import take_back_rewards
from fintech_core import clock
from fintech_core.models import AuditRecord, JobRun
from fintech_core.outcomes import Outcome
from notifications.models import Event, Message
from notifications.relay import relay_due
from tests.billers import bench
from tests.factories import StaffFactory
from tests.sandbox.actors import Merchant
from tests.users.parallel import in_parallel
from transactions.models import Transaction
from transactions.services import TransactionService
from transactions.verification import verify

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def paid(vendor: Merchant) -> BillPayment:
    """A bill of ₦10,000 that was delivered and earned ₦100."""
    payment = bench.work(bench.new_payment())
    assert payment.status == BillStatus.COMPLETED
    return payment


def reverse(movement: Transaction) -> None:
    with transaction.atomic():
        TransactionService.reverse(movement, actor=StaffFactory(), reason="wrong meter", now=clock.now())


def refund(payment: BillPayment, amount: str | None = None) -> Transaction:
    given = None if amount is None else Decimal(amount)
    with transaction.atomic():
        return TransactionService.refund(
            payment.transaction, amount=given, actor=StaffFactory(), reason="wrong meter", now=clock.now()
        )


def as_it_stands(payment: BillPayment) -> BillPayment:
    """Return the bill as it stands now."""
    return BillPayment.objects.select_related("product__biller", "user").get(pk=payment.pk)


def status(payment: BillPayment) -> str:
    return BillPayment.objects.get(pk=payment.pk).status


def books() -> tuple[Any, ...]:
    return (*bench.fingerprint(), AuditRecord.objects.count())


class TestGivenBack:
    def test_a_reversed_bill_says_so_and_keeps_what_was_delivered(self, paid: BillPayment) -> None:
        reverse(paid.transaction)
        tasks.mark_reversed_payments(str(paid.user_id))
        shown = render(as_it_stands(paid))
        assert (shown["status"], shown["is_final"], shown["failure"]) == ("reversed", True, None)
        for kept in ("token", "completed_at", "receipt_url"):
            assert (shown[kept], shown[kept] is None) == (render(paid)[kept], False)
        assert bench.wallet_of(paid.user) == (Decimal(50000), Decimal(0))
        assert verify().findings == ()

    def test_a_bill_refunded_in_full_says_so_too(self, paid: BillPayment) -> None:
        refund(paid)
        tasks.mark_reversed_payments(str(paid.user_id))
        assert status(paid) == BillStatus.REVERSED
        assert verify().findings == ()

    def test_a_part_leaves_it_completed_and_the_last_part_does_not(self, paid: BillPayment) -> None:
        refund(paid, "9999.99")
        before = books()
        assert services.follow_ledger_for(user_id=paid.user_id) == 0
        assert services.sweep_given_back() == 0
        assert books() == before
        refund(paid, "0.01")
        assert services.follow_ledger_for(user_id=paid.user_id) == 1
        assert status(paid) == BillStatus.REVERSED

    def test_audit_and_event_say_what_happened(self, paid: BillPayment) -> None:
        reverse(paid.transaction)
        tasks.mark_reversed_payments(str(paid.user_id))
        record = AuditRecord.objects.get(action="bill_payment.reversed")
        assert (record.target_id, record.actor_label, record.changes) == (
            str(paid.pk),
            "system",
            {"status": ["completed", "reversed"]},
        )
        event = Event.objects.get(type="bill_payment.reversed", user_id=paid.user_id)
        assert (event.payload["payment_id"], event.payload["amount"]) == (str(paid.pk), "10000.00")

    def test_the_customer_is_mailed_once_by_the_movement_and_told_of_the_bill_in_the_inbox(
        self, paid: BillPayment
    ) -> None:
        reverse(paid.transaction)
        tasks.mark_reversed_payments(str(paid.user_id))
        relay_due()
        told = Message.objects.get(type="bill_payment.reversed", user_id=paid.user_id)
        assert told.title == "Given back: Ikeja Electric, NGN 10,000.00"
        assert not told.event.deliveries.exists()

    @pytest.mark.parametrize("event", ["transaction.reversed", "transaction.refunded"])
    def test_both_events_of_the_ledger_ring_for_it(self, event: str) -> None:
        assert "billers.mark_reversed_payments" in settings.EVENT_REACTIONS[event]

    def test_a_ring_that_was_lost_is_made_up_for_by_the_sweep(self, paid: BillPayment) -> None:
        reverse(paid.transaction)
        tasks.sweep_reversed_payments()
        assert status(paid) == BillStatus.REVERSED
        assert JobRun.objects.get(name="billers.sweep_reversed_payments").detail == {"marked": 1}

    def test_a_second_time_changes_nothing(self, paid: BillPayment) -> None:
        reverse(paid.transaction)
        assert services.follow_ledger_for(user_id=paid.user_id) == 1
        before = books()
        assert services.follow_ledger_for(user_id=paid.user_id) == 0
        assert services.sweep_given_back() == 0
        assert books() == before

    def test_ten_jobs_at_once_mark_it_once(self, paid: BillPayment) -> None:
        reverse(paid.transaction)
        outcomes = in_parallel(10, lambda _: str(services.follow_ledger_for(user_id=paid.user_id)))
        assert sorted(outcomes) == ["0"] * 9 + ["1"]
        assert Event.objects.filter(type="bill_payment.reversed").count() == 1

    def test_other_bills_and_other_people_are_left_alone(self, paid: BillPayment) -> None:
        kept = bench.work(bench.new_payment(paid.user, amount="2000.00"))
        failed = bench.work(bench.new_payment(customer_id=bench.REFUSED))
        reverse(paid.transaction)
        assert services.follow_ledger_for(user_id=failed.user_id) == 0
        assert services.sweep_given_back() == 1
        assert [status(payment) for payment in (paid, kept, failed)] == ["reversed", "completed", "failed"]

    def test_a_refund_that_was_itself_reversed_before_gave_nothing_back(self, paid: BillPayment) -> None:
        reverse(refund(paid))
        assert services.sweep_given_back() == 0
        assert status(paid) == BillStatus.COMPLETED

    def test_reversing_the_refund_later_leaves_the_bill_reversed(self, paid: BillPayment) -> None:
        refunded = refund(paid)
        assert services.sweep_given_back() == 1
        reverse(refunded)
        assert services.sweep_given_back() == 0
        assert status(paid) == BillStatus.REVERSED
        assert verify().findings == ()


class TestAfterwards:
    @pytest.fixture
    def given_back(self, paid: BillPayment) -> BillPayment:
        """The bill after staff reversed it."""
        reverse(paid.transaction)
        assert services.sweep_given_back() == 1
        return as_it_stands(paid)

    def test_the_reward_goes_too_in_any_order(self, given_back: BillPayment) -> None:
        take_back_rewards(str(given_back.user_id))
        assert render(given_back)["cashback"] == {"amount": "100.00", "status": "cancelled"}
        assert bench.cashback_of(given_back.user) == 0
        assert verify().findings == ()

    def test_a_repeated_request_is_answered_with_the_bill_as_it_stands(self, given_back: BillPayment) -> None:
        answered = answer(given_back.pk)
        assert (answered.status, answered.is_final, answered.body["status"]) == (201, True, "reversed")

    def test_the_same_bill_may_be_as_it_stands_at_once(self, given_back: BillPayment) -> None:
        assert bench.work(bench.new_payment(given_back.user)).status == BillStatus.COMPLETED

    def test_a_worker_finds_nothing_to_do(self, given_back: BillPayment) -> None:
        before = books()
        tasks.send(str(given_back.pk))
        tasks.check(str(given_back.pk))
        assert books() == before

    @pytest.mark.parametrize("outcome", [Outcome.REVERSED, Outcome.SUCCEEDED, Outcome.UNKNOWN])
    def test_what_the_vendor_says_then_moves_nothing_and_needs_nobody(
        self, given_back: BillPayment, outcome: Outcome
    ) -> None:
        before = books()
        settlement.settle(
            attempt_id=bench.attempt_of(given_back).pk,
            lease_number=None,
            reading=Reading(outcome, "reversed"),
            now=timezone.now(),
        )
        assert (books(), as_it_stands(given_back).needs_review) == (before, False)

    def test_a_review_that_began_before_is_closed_by_a_person(self, paid: BillPayment) -> None:
        settlement.settle(
            attempt_id=bench.attempt_of(paid).pk,
            lease_number=None,
            reading=Reading(Outcome.REVERSED, "reversed"),
            now=timezone.now(),
        )
        reverse(paid.transaction)
        assert services.sweep_given_back() == 1
        assert as_it_stands(paid).needs_review
        services.close_review(payment_id=paid.pk, actor=StaffFactory(), reason="Given back")
        after = as_it_stands(paid)
        assert (after.needs_review, after.status) == (False, BillStatus.REVERSED)
