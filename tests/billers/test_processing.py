"""Claims, leases, the sweep and review: how a payment is carried on whoever dies over it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from billers import services, tasks
from billers.enums import AttemptState, BillStatus
from billers.errors import ReviewNotOpen
from billers.models import BillPayment, ProductRoute
from billers.services import processing, reviews, settlement
from billers.services.readings import Reading
from fintech_core.database.atomic import NotInTransaction
from fintech_core.exceptions import NotFound
from fintech_core.ids import uuid7
from fintech_core.models import AuditRecord, JobRun
from fintech_core.outcomes import Outcome
from fintech_core.state import IllegalTransition
from tests.billers import bench
from tests.factories import StaffFactory
from tests.sandbox.actors import Merchant
from tests.users.parallel import in_parallel
from transactions.models import Transaction

pytestmark = pytest.mark.usefixtures("committed_db")
HELD = (Decimal(50000), Decimal(10000))
PAID = (Decimal(40000), Decimal(0))
LEASE_S = processing.LEASE.total_seconds() + 1


def swept(*, after_s: float = 0.0) -> int:
    return services.sweep(now=timezone.now() + timedelta(seconds=after_s))


def die_over(payment: BillPayment, times: int) -> None:
    """Let so many workers claim the payment and end without a word, each after the lease of the one before."""
    for dead in range(times):
        with time_machine.travel(timezone.now() + timedelta(seconds=dead * LEASE_S), tick=True):
            assert processing.claim_payment(payment.pk) is not None
    payment.refresh_from_db()


class TestClaims:
    @pytest.mark.parametrize("workers", [2, 8])
    def test_of_many_workers_one_sends(self, vendor: Merchant, workers: int) -> None:
        payment = bench.new_payment()

        def work(_number: int) -> str:
            tasks.send(str(payment.pk))
            return ""

        in_parallel(workers, work)
        payment.refresh_from_db()
        assert (payment.status, payment.lease_number) == (BillStatus.COMPLETED, 1)
        assert (bench.pays(vendor), bench.wallet_of(payment.user)) == (1, PAID)

    def test_a_claim_is_committed_before_anybody_is_called(self, vendor: Merchant) -> None:
        payment = bench.new_payment()
        claim = processing.claim_payment(payment.pk)
        payment.refresh_from_db()
        assert claim is not None
        assert (payment.sends, payment.unfinished, payment.lease_number) == (1, 1, 1)
        assert bench.attempt_of(payment).state == AttemptState.SENT
        assert bench.operations(vendor) == []

    def test_while_a_lease_holds_nobody_else_claims(self, vendor: Merchant) -> None:
        payment = bench.new_payment()
        processing.claim_payment(payment.pk)
        assert processing.claim_payment(payment.pk) is None
        assert swept() == 0
        bench.work(payment, after_s=LEASE_S - 2)
        assert bench.operations(vendor) == []

    def test_after_a_worker_died_the_next_asks_before_anything_else(self, vendor: Merchant) -> None:
        payment = bench.new_payment()
        processing.claim_payment(payment.pk)
        assert swept(after_s=LEASE_S) == 1
        bench.work(payment, after_s=LEASE_S)
        assert bench.operations(vendor) == ["requery"]
        assert (payment.status, bench.wallet_of(payment.user)) == (BillStatus.PROCESSING, HELD)
        bench.work_until_final(payment)
        assert (payment.status, payment.sends) == (BillStatus.COMPLETED, 2)
        assert len(bench.orders(vendor)) == 1

    def test_what_is_not_due_is_left_alone(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(customer_id=bench.PENDING))
        asked = bench.operations(vendor)
        bench.work(payment)
        assert bench.operations(vendor) == asked

    def test_a_product_that_the_vendor_sells_no_more_gives_the_money_back_at_once(
        self, vendor: Merchant
    ) -> None:
        payment = bench.new_payment()
        ProductRoute.objects.filter(product=payment.product).delete()
        bench.work(payment)
        assert (payment.status, payment.failure_code) == (BillStatus.FAILED, "no_route")
        assert (bench.operations(vendor), bench.wallet_of(payment.user)[1]) == ([], Decimal(0))

    def test_a_payment_that_is_not_there_is_nobodys_work(self, vendor: Merchant) -> None:
        tasks.send(str(uuid7()))
        tasks.check(str(uuid7()))
        assert bench.operations(vendor) == []


class TestSweep:
    def test_rings_for_what_is_due_and_for_nothing_else(self, vendor: Merchant) -> None:
        fresh = bench.new_payment()
        bench.work(bench.new_payment())
        waiting = bench.work(bench.new_payment(customer_id=bench.PENDING))
        assert swept() == 1
        assert waiting.next_check_at is not None
        assert swept(after_s=(waiting.next_check_at - timezone.now()).total_seconds() + 1) == 2
        processing.claim_payment(fresh.pk)
        assert swept() == 0

    def test_the_job_says_when_it_ran_and_how_often_it_rang(self, vendor: Merchant) -> None:
        bench.new_payment()
        tasks.sweep_bill_payments()
        run = JobRun.objects.get(name="billers.sweep_bill_payments")
        assert (run.outcome, run.detail) == ("completed", {"rung": 1})


class TestReview:
    def test_a_payment_that_ends_five_workers_waits_for_a_person(self, vendor: Merchant) -> None:
        payment = bench.new_payment()
        die_over(payment, 5)
        assert (payment.unfinished, payment.needs_review) == (5, False)
        bench.work(payment, after_s=5 * LEASE_S)
        assert (payment.status, payment.needs_review, payment.next_check_at) == ("processing", True, None)
        assert "Every worker" in payment.review_reason
        assert bench.operations(vendor) == []
        assert bench.wallet_of(payment.user) == HELD
        record = AuditRecord.objects.get(action="bill_payment.needs_review")
        assert (record.target_id, record.actor_label) == (str(payment.pk), "system")

    def test_nobody_touches_it_until_staff_have_it_checked(self, vendor: Merchant) -> None:
        payment = bench.new_payment()
        die_over(payment, 5)
        bench.work(payment, after_s=5 * LEASE_S)
        assert swept(after_s=86_400) == 0
        bench.work(payment, after_s=86_400)
        assert bench.operations(vendor) == []
        staff = StaffFactory()
        services.check_now(payment_id=payment.pk, actor=staff, reason="Case 4711")
        payment.refresh_from_db()
        assert (payment.needs_review, payment.review_reason, payment.unfinished) == (False, "", 0)
        record = AuditRecord.objects.get(action="bill_payment.check_now")
        assert (record.reason, record.actor_id) == ("Case 4711", staff.pk)
        assert swept() == 1
        bench.work(payment)
        bench.work_until_final(payment)
        assert (payment.status, len(bench.orders(vendor))) == (BillStatus.COMPLETED, 1)

    def test_an_outcome_sets_the_count_of_the_dead_back(self, vendor: Merchant) -> None:
        payment = bench.new_payment(customer_id=bench.PENDING)
        die_over(payment, 4)
        bench.work(payment, after_s=4 * LEASE_S)
        assert (payment.unfinished, payment.needs_review) == (0, False)

    def test_one_that_stays_unclear_goes_back_into_review(self, vendor: Merchant) -> None:
        vendor.fault("vtpass", "requery", "error_after", times=None)
        payment = bench.work(bench.new_payment(customer_id=bench.PENDING))
        bench.work(payment, after_s=86_500)
        assert payment.needs_review
        services.check_now(payment_id=payment.pk, actor=StaffFactory(), reason="Case 4711")
        bench.work(payment, after_s=86_600)
        assert (payment.status, payment.needs_review) == (BillStatus.PROCESSING, True)
        assert AuditRecord.objects.filter(action="bill_payment.needs_review").count() == 2

    def test_checking_a_payment_that_waits_to_be_sent_again_sends_nothing_early(
        self, vendor: Merchant
    ) -> None:
        vendor.control("settings", vtpass_duplicate_rule=True)
        bench.work(bench.new_payment())
        payment = bench.work(bench.new_payment())
        assert bench.attempt_of(payment).outcome_code == "likely_duplicate"
        services.check_now(payment_id=payment.pk, actor=StaffFactory(), reason="Case 4711")
        bench.work(payment)
        assert (bench.pays(vendor), payment.sends) == (2, 1)

    def test_checking_a_final_payment_changes_nothing(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        staff = StaffFactory()
        before = bench.fingerprint()
        services.check_now(payment_id=payment.pk, actor=staff, reason="Case 4711")
        bench.work(payment)
        assert bench.fingerprint() == before
        assert bench.operations(vendor) == ["pay"]

    @pytest.mark.parametrize("end", ["open", "final"])
    def test_only_a_review_of_a_final_payment_is_closed_by_hand(self, vendor: Merchant, end: str) -> None:
        payment = bench.new_payment()
        if end == "final":
            bench.work(payment)
        else:
            die_over(payment, 5)
            bench.work(payment, after_s=5 * LEASE_S)
        staff = StaffFactory()
        before = bench.fingerprint()
        with pytest.raises(ReviewNotOpen):
            services.close_review(payment_id=payment.pk, actor=staff, reason="Case 4711")
        payment.refresh_from_db()
        assert (payment.needs_review, bench.fingerprint()) == (end == "open", before)

    @pytest.mark.parametrize("service", [services.check_now, services.close_review])
    def test_a_payment_that_is_not_there_is_not_found(self, service: Callable[..., None]) -> None:
        with pytest.raises(NotFound):
            service(payment_id=uuid7(), actor=StaffFactory(), reason="Case 4711")
        assert not AuditRecord.objects.exists()


class TestInvariants:
    def test_locks_are_taken_in_transactions_only(self) -> None:
        payment = bench.new_payment()
        with pytest.raises(NotInTransaction):
            reviews.lock(payment.pk)
        with pytest.raises(NotInTransaction):
            processing.make_due(payment, now=timezone.now())

    def test_a_delivery_without_the_vendors_answer_is_a_bug_and_undoes_everything(self) -> None:
        payment = bench.new_payment()
        before = bench.fingerprint()
        with pytest.raises(ValueError, match="vendor's answer"):
            settlement.settle(
                attempt_id=bench.attempt_of(payment).pk,
                lease_number=0,
                reading=Reading(Outcome.SUCCEEDED, "delivered"),
                now=timezone.now(),
            )
        assert bench.fingerprint() == before

    def test_an_end_that_cannot_be_reached_is_a_bug_and_undoes_everything(self) -> None:
        payment = bench.end_as(bench.new_payment(), "refused")
        before = bench.fingerprint()
        with pytest.raises(IllegalTransition):
            settlement._finish(payment, BillStatus.COMPLETED, timezone.now())
        assert (bench.fingerprint(), Transaction.objects.filter(status="pending").count()) == (before, 0)
