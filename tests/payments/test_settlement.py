"""From a paid checkout to the wallet: whoever asks, once, and only what the gateway itself confirms."""

from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from fintech_core.outcomes import Outcome
from notifications.models import Event
from payments import tasks
from payments.enums import AttemptStatus, IntentStatus, PaymentState
from payments.errors import IntentAlreadyPaid
from payments.models import CheckoutAttempt, Payment, PaymentIntent
from payments.providers.base import Reading, VendorPayment
from payments.services import checking, intents, settlement
from tests.factories import UnverifiedUserFactory, UserFactory
from tests.payments.gateways import later, new_intent, newest_attempt, pay, started_intent
from tests.sandbox.actors import Merchant
from tests.transactions.money import main_wallet
from tests.users.parallel import in_parallel
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from wallet.services import freeze_wallet

pytestmark = pytest.mark.usefixtures("committed_db")


def balance(intent: PaymentIntent) -> Decimal:
    return main_wallet(intent.user).balance


def status(intent: PaymentIntent) -> str:
    intent.refresh_from_db()
    return intent.status


def events(intent: PaymentIntent) -> list[str]:
    rows = Event.objects.filter(user_id=intent.user_id, type__startswith="funding.").order_by("id")
    return list(rows.values_list("type", flat=True))


def verify(intent: PaymentIntent) -> None:
    checking.verify_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())


def check_later(intent: PaymentIntent, seconds: float = 20) -> None:
    with later(seconds):
        tasks.check_intent(str(intent.pk))


class TestPaidCheckout:
    def test_credits_the_wallet_through_the_gateways_clearing_account(self, vendor: Merchant) -> None:
        intent = started_intent()
        paid = pay(vendor, intent)
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))
        payment = Payment.objects.get()
        assert (payment.vendor_payment_id, payment.state) == (str(paid["id"]), PaymentState.CREDITED)
        assert payment.transaction_id == intent.transaction_id
        codes = {entry.account.code: entry.direction for entry in LedgerEntry.objects.all()}
        assert codes == {"gateway_clearing:paystack": "debit", "customer_wallets": "credit"}
        assert events(intent) == ["funding.succeeded"]

    def test_every_caller_together_credits_once(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        callers = [lambda: verify(intent), lambda: check_later(intent)]

        def call(number: int) -> str:
            callers[number % 2]()
            return "done"

        assert in_parallel(8, call) == ["done"] * 8
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))
        assert Payment.objects.count() == Transaction.objects.count() == 1
        assert events(intent) == ["funding.succeeded"]

    def test_an_older_reading_undoes_nothing(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        verify(intent)
        attempt = newest_attempt(intent)
        for outcome in (Outcome.PENDING, Outcome.DECLINED):
            reading = Reading(outcome, attempt.reference, "old", in_progress=True)
            settlement.settle(attempt_id=attempt.pk, reading=reading, now=timezone.now())
        assert status(intent) == IntentStatus.SUCCEEDED
        attempt.refresh_from_db()
        assert attempt.status == AttemptStatus.SUCCEEDED

    def test_two_payments_on_one_intent_are_two_credits(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        verify(intent)
        attempt = newest_attempt(intent)
        second = VendorPayment("777", Decimal("2500.00"), Decimal("2500.00"), "NGN", None)
        reading = Reading(Outcome.SUCCEEDED, attempt.reference, "success", payment=second)
        for _ in range(2):
            settlement.settle(attempt_id=attempt.pk, reading=reading, now=timezone.now())
        assert balance(intent) == Decimal("5000")
        assert Payment.objects.count() == 2

    def test_a_payment_id_of_another_checkout_credits_nobody(self, vendor: Merchant) -> None:
        paid, other = started_intent(), started_intent()
        pay(vendor, paid)
        verify(paid)
        stolen = VendorPayment(Payment.objects.get().vendor_payment_id, Decimal(1), Decimal(1), "NGN", None)
        attempt = newest_attempt(other)
        reading = Reading(Outcome.SUCCEEDED, attempt.reference, "success", payment=stolen)
        settlement.settle(attempt_id=attempt.pk, reading=reading, now=timezone.now())
        assert (status(other), balance(other)) == (IntentStatus.PENDING, Decimal(0))

    def test_a_reading_about_another_reference_is_refused(self, vendor: Merchant) -> None:
        intent = started_intent()
        paid = VendorPayment("777", Decimal(1), Decimal(1), "NGN", None)
        reading = Reading(Outcome.SUCCEEDED, "FND-other.1", "success", payment=paid)
        with pytest.raises(ValueError, match="FND-other"):
            settlement.settle(attempt_id=newest_attempt(intent).pk, reading=reading, now=timezone.now())
        assert Payment.objects.count() == 0


class TestOddPayments:
    def test_one_naira_for_a_large_intent_credits_one_naira(self, vendor: Merchant) -> None:
        intent = started_intent(amount="100000.00")
        pay(vendor, intent, "less")
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.PROCESSING, Decimal("1"))
        with later(4000):
            tasks.sweep_intents()
        assert status(intent) == IntentStatus.EXPIRED
        assert intent.transaction_id is not None

    def test_a_fee_that_the_payer_bore_is_not_credited(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent, amount=260000)
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))

    def test_another_currency_waits_in_suspense(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent, "wrong_currency")
        verify(intent)
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.FAILED, Decimal(0))
        payment = Payment.objects.get()
        assert (payment.state, payment.currency) == (PaymentState.SUSPENSE, "KES")
        codes = {(entry.account.code, entry.currency) for entry in LedgerEntry.objects.all()}
        assert codes == {("gateway_clearing:paystack", "KES"), ("suspense", "KES")}
        assert events(intent) == ["funding.failed"]

    def test_a_currency_we_do_not_keep_waits_unbooked(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent, currency="ZAR")
        verify(intent)
        assert Payment.objects.get().state == PaymentState.REVIEW
        assert Transaction.objects.count() == 0

    def test_a_frozen_wallet_parks_the_credit(self, vendor: Merchant) -> None:
        intent = started_intent()
        freeze_wallet(wallet_id=intent.wallet_id, actor=UserFactory(), reason="test")
        pay(vendor, intent)
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal(0))
        assert ParkedCredit.objects.get().amount == Decimal("2500")
        assert events(intent) == []

    def test_money_over_the_tiers_cap_parks_itself(self, vendor: Merchant) -> None:
        intent = started_intent(UnverifiedUserFactory(), amount="60000.00")
        pay(vendor, intent)
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal(0))
        assert ParkedCredit.objects.get().owner_id == intent.user_id


class TestLateSuccess:
    def test_a_declined_try_can_be_followed_by_a_paid_one(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent, "declined")
        verify(intent)
        assert (status(intent), intent.failure_code) == (IntentStatus.FAILED, "gateway_failed")
        pay(vendor, intent)
        check_later(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))
        assert events(intent) == ["funding.failed", "funding.succeeded"]

    def test_an_abandoned_checkout_stays_open(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent, "abandoned")
        verify(intent)
        assert status(intent) == IntentStatus.PENDING

    def test_expired_by_our_clock_and_paid_afterwards_credits(self, vendor: Merchant) -> None:
        intent = started_intent()
        with later(3700):
            tasks.sweep_intents()
        assert status(intent) == IntentStatus.EXPIRED
        pay(vendor, intent)
        check_later(intent, 3800)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))

    def test_cancelled_and_paid_afterwards_credits(self, vendor: Merchant) -> None:
        intent = started_intent()
        intents.cancel_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
        assert status(intent) == IntentStatus.CANCELLED
        pay(vendor, intent)
        check_later(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))

    def test_cancelling_what_was_paid_credits_instead(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        with pytest.raises(IntentAlreadyPaid):
            intents.cancel_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))


class TestLadder:
    def test_the_sweep_rings_for_what_is_due_and_the_check_moves_it_on(self, vendor: Merchant) -> None:
        intent = started_intent()
        assert checking.sweep(now=timezone.now()) == 0
        with later(11):
            assert checking.sweep(now=timezone.now()) == 1
            tasks.check_intent(str(intent.pk))
        intent.refresh_from_db()
        assert intent.next_check_at is not None
        assert 25 < (intent.next_check_at - intent.created_at).total_seconds() < 35

    def test_an_unclear_answer_is_asked_again_and_changes_nothing(self, vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        vendor.fault("paystack", "verify", "error_after")
        check_later(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.PENDING, Decimal(0))
        check_later(intent, 3700)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))

    def test_nobody_asks_after_seven_days(self, vendor: Merchant) -> None:
        intent = started_intent()
        check_later(intent, 7 * 86400 + 10)
        intent.refresh_from_db()
        assert intent.next_check_at is None


class TestStart:
    def test_a_lost_answer_begins_again_under_another_reference(self, vendor: Merchant) -> None:
        vendor.fault("paystack", "initialize", "error_after")
        intent = new_intent()
        tasks.start_checkout(str(intent.pk))
        intent.refresh_from_db()
        assert intent.checkout_url == ""
        with later(5):
            tasks.start_checkout(str(intent.pk))
            tasks.start_checkout(str(intent.pk))
        intent.refresh_from_db()
        assert intent.checkout_url
        states = list(CheckoutAttempt.objects.order_by("number").values_list("status", flat=True))
        assert states == [AttemptStatus.LOST, AttemptStatus.OPEN]
        lost = intent.attempts.get(number=1)
        vendor.control("paystack/pay", reference=lost.reference, outcome="success")
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))

    def test_a_request_that_never_arrived_keeps_its_reference(self, vendor: Merchant) -> None:
        vendor.fault("paystack", "initialize", "error_before")
        intent = new_intent()
        tasks.start_checkout(str(intent.pk))
        with later(5):
            tasks.start_checkout(str(intent.pk))
        intent.refresh_from_db()
        assert intent.checkout_url
        assert CheckoutAttempt.objects.count() == 1

    def test_a_closed_door_is_tried_again(self, vendor: Merchant, settings: Settings) -> None:
        open_door, settings.PAYSTACK_BASE_URL = settings.PAYSTACK_BASE_URL, "http://127.0.0.1:9/paystack"
        intent = new_intent()
        tasks.start_checkout(str(intent.pk))
        assert newest_attempt(intent).status == AttemptStatus.CREATED
        settings.PAYSTACK_BASE_URL = open_door
        with later(5):
            assert checking.sweep(now=timezone.now()) == 1
            tasks.start_checkout(str(intent.pk))
        intent.refresh_from_db()
        assert intent.checkout_url

    def test_a_refused_amount_fails_for_good(self, vendor: Merchant) -> None:
        intent = new_intent(amount="10000001.00")
        tasks.start_checkout(str(intent.pk))
        assert (status(intent), intent.failure_code) == (IntentStatus.FAILED, "invalid_amount")
        assert newest_attempt(intent).status == AttemptStatus.DECLINED
        assert events(intent) == ["funding.failed"]

    def test_two_workers_start_one_checkout(self, vendor: Merchant) -> None:
        intent = new_intent()

        def start(_: int) -> str:
            tasks.start_checkout(str(intent.pk))
            return "done"

        in_parallel(4, start)
        assert len(vendor.state()["paystack"]["transactions"]) == CheckoutAttempt.objects.count() == 1

    def test_paid_before_the_answer_reached_us_is_credited(self, vendor: Merchant) -> None:
        vendor.fault("paystack", "initialize", "webhook_before_answer")
        intent = new_intent()
        tasks.start_checkout(str(intent.pk))
        verify(intent)
        assert (status(intent), balance(intent)) == (IntentStatus.SUCCEEDED, Decimal("2500"))
