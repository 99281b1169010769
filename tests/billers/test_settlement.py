"""From T1 to the end: every fate of an order, against the sandbox process."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billers import services, tasks
from billers.enums import AttemptState, BillStatus
from billers.models import BillPayment
from cashback.models import Campaign, Reward
from notifications.models import Event
from tests.billers import bench
from tests.cashback.offers import running
from tests.sandbox.actors import Merchant
from transactions.models import LedgerEntry, Transaction

pytestmark = pytest.mark.usefixtures("committed_db")


def events_of(payment: BillPayment) -> list[str]:
    return list(Event.objects.filter(user_id=payment.user_id).order_by("id").values_list("type", flat=True))


def legs_of(transaction_id: object) -> list[tuple[str, str, str]]:
    entries = (
        LedgerEntry.objects.filter(transaction_id=transaction_id).select_related("account").order_by("id")
    )
    return [(entry.direction, entry.account.code, f"{entry.amount:.2f}") for entry in entries]


class TestDelivered:
    def test_takes_the_money_and_gives_token_and_cashback(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        assert payment.status == BillStatus.COMPLETED
        assert str(payment.token).isdigit()
        assert payment.units.endswith("kWh")
        assert bench.wallet_of(payment.user) == (Decimal(40000), Decimal(0))
        assert bench.cashback_of(payment.user) == Decimal(100)
        assert "bill_payment.completed" in events_of(payment)
        assert "cashback.earned" in events_of(payment)
        assert [found["status"] for found in bench.orders(vendor)] == ["delivered"]

    def test_books_cost_commission_and_cashback(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        assert legs_of(payment.transaction_id) == [
            ("debit", "customer_wallets", "10000.00"),
            ("credit", "biller_float:vtpass", "9850.00"),
            ("credit", "biller_commission", "150.00"),
        ]
        reward = Reward.objects.get(trigger_id=payment.pk)
        assert legs_of(reward.transaction_id) == [
            ("debit", "cashback_expense", "100.00"),
            ("credit", "cashback_wallets", "100.00"),
        ]
        assert Campaign.objects.get().spent == Decimal(100)

    def test_a_campaign_that_ends_while_the_vendor_is_asked_keeps_its_promise(self, vendor: Merchant) -> None:
        ends_at = timezone.now() + timedelta(seconds=60)
        running(category="electricity", percent_bp=500, cap=Decimal(5000), ends_at=ends_at)
        payment = bench.new_payment()
        assert payment.expected_cashback == Decimal(500)
        bench.work(payment, after_s=120)
        assert bench.cashback_of(payment.user) == Decimal(500)

    def test_needs_no_token_after_the_fact(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(product="postpaid", customer_id=bench.POSTPAID))
        assert (payment.status, payment.token) == (BillStatus.COMPLETED, None)

    def test_a_second_worker_does_nothing(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        before = bench.fingerprint()
        tasks.send(str(payment.pk))
        tasks.check(str(payment.pk))
        assert bench.fingerprint() == before
        assert bench.pays(vendor) == 1

    @pytest.mark.parametrize(
        ("biller", "product", "customer", "amount"),
        [
            ("mtn", "airtime", "08011111111", "100.00"),
            ("9mobile", "airtime", "08011111111", "100.00"),
            ("mtn-data", "mtn-10mb-100", "08011111111", "100.00"),
            ("9mobile-data", "eti-500", "08011111111", "500.00"),
            ("gotv", "gotv-smallie", "1212121212", "1900.00"),
            ("startimes", "nova", "1212121212", "2100.00"),
            ("smile", "624", "1111111111", "400.00"),
            ("spectranet", "vt-1000", "1111111111", "1000.00"),
            ("eko-electric", "prepaid", bench.DELIVERED, "2000.50"),
            ("abuja-electric", "prepaid", bench.DELIVERED, "2000.00"),
            ("ibadan-electric", "prepaid", bench.DELIVERED, "2000.00"),
        ],
    )
    def test_every_kind_of_product_can_be_bought(
        self, vendor: Merchant, biller: str, product: str, customer: str, amount: str
    ) -> None:
        payment = bench.work(
            bench.new_payment(biller=biller, product=product, customer_id=customer, amount=Decimal(amount))
        )
        assert payment.status == BillStatus.COMPLETED
        assert bench.wallet_of(payment.user) == (50000 - Decimal(amount), Decimal(0))
        assert (payment.token is not None) is (product == "prepaid")


class TestRefused:
    def test_gives_the_money_back_and_says_why(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(customer_id=bench.REFUSED))
        assert (payment.status, payment.failure_code) == (BillStatus.FAILED, "refused")
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(0))
        assert bench.cashback_of(payment.user) == 0
        assert "bill_payment.failed" in events_of(payment)
        assert not Reward.objects.exists()

    def test_an_empty_float_is_our_fault_and_gives_the_money_back(self, vendor: Merchant) -> None:
        vendor.fault("vtpass", "pay", "float_empty", times=1)
        payment = bench.work(bench.new_payment())
        assert (payment.status, payment.failure_code) == (BillStatus.FAILED, "float_empty")
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(0))


class TestUnknown:
    @pytest.mark.parametrize(
        ("customer", "status", "orders"),
        [
            (bench.PENDING, BillStatus.COMPLETED, ["delivered"]),
            (bench.ANSWER_LOST, BillStatus.COMPLETED, ["delivered"]),
            (bench.BROKEN, BillStatus.FAILED, ["failed"]),
            (bench.NEVER_ARRIVED, BillStatus.FAILED, []),
        ],
    )
    def test_holds_the_money_until_the_vendor_says(
        self, vendor: Merchant, customer: str, status: str, orders: list[str]
    ) -> None:
        payment = bench.work(bench.new_payment(customer_id=customer))
        assert payment.status == BillStatus.PROCESSING
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(10000))
        bench.work_until_final(payment)
        assert payment.status == status
        assert [found["status"] for found in bench.orders(vendor)] == orders
        spent = Decimal(10000) if status == BillStatus.COMPLETED else Decimal(0)
        assert bench.wallet_of(payment.user) == (50000 - spent, Decimal(0))

    @pytest.mark.parametrize(
        "kind",
        ["timeout_after", "error_after", "reset", "garbage", "truncated", "error_before", "rate_limited"],
    )
    def test_a_spoilt_answer_is_asked_about_and_never_paid_twice(self, vendor: Merchant, kind: str) -> None:
        vendor.fault("vtpass", "pay", kind, times=1, seconds=3)
        payment = bench.work(bench.new_payment())
        assert payment.status == BillStatus.PROCESSING
        bench.work_until_final(payment)
        assert payment.status == BillStatus.COMPLETED
        assert len(bench.orders(vendor)) == 1
        assert bench.wallet_of(payment.user) == (Decimal(40000), Decimal(0))

    def test_what_never_arrived_is_sent_once_more_and_then_given_up(self, vendor: Merchant) -> None:
        payment = bench.work_until_final(bench.new_payment(customer_id=bench.NEVER_ARRIVED))
        assert (payment.failure_code, payment.sends) == ("not_attempted", 2)

    def test_not_found_counts_only_after_its_time_and_readings(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(customer_id=bench.NEVER_ARRIVED))
        bench.work(payment, after_s=6)
        assert payment.status == BillStatus.PROCESSING
        assert (bench.attempt_of(payment).not_found_readings, bench.pays(vendor)) == (1, 1)

    def test_after_a_day_a_person_looks_and_the_money_stays_held(self, vendor: Merchant) -> None:
        vendor.fault("vtpass", "requery", "error_after", times=None)
        payment = bench.work(bench.new_payment(customer_id=bench.PENDING))
        bench.work(payment, after_s=86_500)
        assert (payment.status, payment.needs_review) == (BillStatus.PROCESSING, True)
        assert payment.next_check_at is None
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(10000))

    def test_a_requery_that_our_account_may_not_make_releases_nothing(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(customer_id=bench.ANSWER_LOST))
        vendor.fault("vtpass", "requery", "unauthorized", times=1)
        bench.work(payment, after_s=6)
        assert payment.status == BillStatus.PROCESSING
        vendor.fault("vtpass", "requery", "float_empty", times=1)
        bench.work(payment, after_s=60)
        assert payment.status == BillStatus.PROCESSING


class TestNotSent:
    def test_no_connection_sends_again_under_the_same_reference(
        self, vendor: Merchant, settings: object
    ) -> None:
        payment = bench.new_payment()
        reference = bench.attempt_of(payment).vendor_reference
        there, settings.VTPASS_BASE_URL = settings.VTPASS_BASE_URL, "http://127.0.0.1:9"  # type: ignore[attr-defined]
        bench.work(payment)
        assert (payment.status, bench.attempt_of(payment).state) == ("processing", AttemptState.NOT_SENT)
        settings.VTPASS_BASE_URL = there  # type: ignore[attr-defined]
        bench.work(payment, after_s=6)
        assert payment.status == BillStatus.COMPLETED
        assert [found["request_id"] for found in bench.orders(vendor)] == [reference]

    def test_a_vendor_that_stays_away_gives_the_money_back(self, vendor: Merchant, settings: object) -> None:
        settings.VTPASS_BASE_URL = "http://127.0.0.1:9"  # type: ignore[attr-defined]
        payment = bench.work_until_final(bench.new_payment())
        assert (payment.status, payment.sends) == (BillStatus.FAILED, 3)
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(0))

    def test_an_order_that_waited_too_long_gets_a_new_reference_before_it_is_sent(
        self, vendor: Merchant
    ) -> None:
        payment = bench.new_payment()
        first = bench.attempt_of(payment)
        bench.work(payment, after_s=240)
        first.refresh_from_db()
        assert (payment.status, first.state) == (BillStatus.COMPLETED, AttemptState.NOT_SENT)
        assert bench.attempt_of(payment).number == 2
        assert len(bench.orders(vendor)) == 1


class TestLate:
    def test_a_delivery_after_the_money_went_back_is_our_loss_once(self, vendor: Merchant) -> None:
        vendor.fault("vtpass", "pay", "error_before", times=2)
        payment = bench.work_until_final(bench.new_payment())
        assert payment.failure_code == "not_attempted"
        attempt = bench.attempt_of(payment)
        paid = vendor.vtpass(
            "pay",
            **vendor.order(request_id=attempt.vendor_reference, billersCode=bench.DELIVERED, amount="10000"),
        ).json()
        assert paid["code"] == "000"
        for _ in range(2):
            reading = services.processing.ask(attempt)
            services.settlement.settle(
                attempt_id=attempt.pk, lease_number=None, reading=reading, now=timezone.now()
            )
        payment.refresh_from_db()
        assert payment.status == BillStatus.FAILED
        assert bench.wallet_of(payment.user) == (Decimal(50000), Decimal(0))
        booked = Transaction.objects.get(source_kind="late_delivery")
        assert legs_of(booked.pk) == [
            ("debit", "late_delivery", "9850.00"),
            ("credit", "biller_float:vtpass", "9850.00"),
        ]

    def test_a_reversal_after_delivery_stays_delivered_and_is_looked_at(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        attempt = bench.attempt_of(payment)
        vendor.control("vtpass/resolve", request_id=attempt.vendor_reference, outcome="reversed")
        reading = services.processing.ask(attempt)
        services.settlement.settle(
            attempt_id=attempt.pk, lease_number=None, reading=reading, now=timezone.now()
        )
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == (BillStatus.COMPLETED, True)
        assert bench.wallet_of(payment.user) == (Decimal(40000), Decimal(0))
