"""A fee on funding: told with the intent, asked for on top, earned once, never credited."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from fintech_core.outcomes import Outcome
from notifications.models import Event
from payments.enums import IntentStatus
from payments.models import Payment, PaymentIntent
from payments.providers.base import Reading, VendorPayment
from payments.services import checking, settlement
from tests.factories import StaffFactory, UserFactory
from tests.payments.gateways import newest_attempt, pay, started_intent
from tests.sandbox.actors import Merchant
from tests.transactions.money import main_wallet
from tests.transactions.test_fees import charge_transfers
from transactions import fees
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from transactions.verification import verify
from wallet.services import freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.usefixtures("committed_db")
FEE, AMOUNT = Decimal("47.50"), Decimal("2500.00")


@pytest.fixture(autouse=True)
def charged(committed_db: None) -> Iterator[None]:
    """Funding costs 10 naira and 1.5 %: of 2,500.00 it is 47.50."""
    charge_transfers(type="funding")
    yield
    fees.forget()


def confirm(intent: PaymentIntent) -> None:
    """Ask the gateway, as anybody may."""
    checking.verify_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
    intent.refresh_from_db()


def receive(intent: PaymentIntent, payment_id: str, amount: str) -> None:
    """Let the gateway tell of a payment of some amount."""
    attempt = newest_attempt(intent)
    paid = VendorPayment(payment_id, Decimal(amount), Decimal(amount), "NGN", None)
    reading = Reading(Outcome.SUCCEEDED, attempt.reference, "success", payment=paid)
    settlement.settle(attempt_id=attempt.pk, reading=reading, now=timezone.now())
    intent.refresh_from_db()


def reverse(original: Transaction) -> Transaction:
    with transaction.atomic():
        return TransactionService.reverse(
            original, actor=StaffFactory(), reason="chargeback", now=timezone.now()
        )


def in_a_session_of_its_own(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()


def wait_until_somebody_waits() -> None:
    """Return once a session waits for a lock that this one holds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    pytest.fail("nobody waits")


def earned() -> Decimal:
    lines = LedgerEntry.objects.filter(account__code="fees:funding")
    return sum((line.amount if line.direction == "credit" else -line.amount for line in lines), Decimal(0))


class TestFunding:
    def test_the_payer_is_asked_for_amount_and_fee_and_the_wallet_gets_the_amount(
        self, vendor: Merchant
    ) -> None:
        intent = started_intent()
        assert (intent.amount, intent.fee) == (AMOUNT, FEE)
        paid = pay(vendor, intent)
        assert Decimal(paid["amount"]) == (AMOUNT + FEE) * 100
        confirm(intent)
        booked = Transaction.objects.get()
        assert (intent.status, intent.credited) == (IntentStatus.SUCCEEDED, AMOUNT)
        assert (booked.amount, booked.fee, main_wallet(intent.user).balance) == (AMOUNT, FEE, AMOUNT)
        lines = {entry.account.code: (entry.direction, entry.amount) for entry in booked.entries.all()}
        assert lines == {
            "gateway_clearing:paystack": ("debit", AMOUNT + FEE),
            "customer_wallets": ("credit", AMOUNT),
            "fees:funding": ("credit", FEE),
        }
        told = Event.objects.get(type="funding.succeeded").payload
        assert (told["amount"], told["fee"]) == ("2500.00", "47.50")
        assert verify().findings == ()

    def test_whoever_paid_it_is_shown_it(self, api: Callable[..., APIClient], vendor: Merchant) -> None:
        intent = started_intent()
        pay(vendor, intent)
        confirm(intent)
        client = api(intent.user)
        told = client.get(f"/api/v1/payments/intents/{intent.pk}").json()
        assert (told["amount"], told["fee"]) == ("2500.00", "47.50")
        shown = client.get(f"/api/v1/transactions/{told['transaction_id']}").json()
        assert (shown["amount"], shown["fee"], shown["total"]) == ("2500.00", "47.50", "2547.50")

    def test_a_dry_run_tells_the_fee_before_anything_is_asked_for(
        self, api: Callable[..., APIClient], vendor: Merchant
    ) -> None:
        answer = api(UserFactory()).post(
            "/api/v1/wallet/fund?dry_run=true", {"amount": "2500.00"}, format="json",
            headers={"Idempotency-Key": str(uuid4())},
        )  # fmt: skip
        assert (answer.status_code, answer.json()["fee"]) == (200, "47.50")
        assert not PaymentIntent.objects.exists()

    def test_a_rule_that_holds_later_does_not_change_what_was_told(self, vendor: Merchant) -> None:
        intent = started_intent()
        charge_transfers(type="funding", flat=Decimal(500), effective_from=timezone.now())
        pay(vendor, intent)
        confirm(intent)
        assert (earned(), intent.credited) == (FEE, AMOUNT)

    @pytest.mark.parametrize("path", ["/wallet/fund", "/wallet/fund?dry_run=true"])
    def test_what_cannot_be_kept_with_its_fee_is_refused(
        self, api: Callable[..., APIClient], path: str
    ) -> None:
        answer = api(UserFactory()).post(
            f"/api/v1{path}", {"amount": "999999999999999.99"}, format="json",
            headers={"Idempotency-Key": str(uuid4())},
        )  # fmt: skip
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_amount")
        assert not PaymentIntent.objects.exists()


class TestPaymentsInParts:
    def test_the_fee_is_taken_once_of_what_comes_first(self, vendor: Merchant) -> None:
        intent = started_intent()
        receive(intent, "1", "20.00")
        assert (intent.status, intent.credited, earned()) == (
            IntentStatus.PROCESSING, Decimal("0.01"), Decimal("19.99"),
        )  # fmt: skip
        receive(intent, "2", "1000.00")
        assert (intent.status, earned()) == (IntentStatus.PROCESSING, FEE)
        receive(intent, "3", "1527.50")
        assert (intent.status, intent.credited, earned()) == (IntentStatus.SUCCEEDED, AMOUNT, FEE)
        assert main_wallet(intent.user).balance == AMOUNT
        fees_taken = Payment.objects.order_by("vendor_payment_id").values_list("fee", flat=True)
        assert list(fees_taken) == [Decimal("19.99"), Decimal("27.51"), 0]
        assert verify().findings == ()

    def test_who_pays_again_after_a_reversal_pays_the_fee_again(self, vendor: Merchant) -> None:
        intent = started_intent()
        receive(intent, "1", "2547.50")
        reverse(Transaction.objects.get())
        receive(intent, "2", "2547.50")
        assert (main_wallet(intent.user).balance, earned()) == (AMOUNT, FEE)
        assert verify().findings == ()

    @pytest.mark.parametrize("parked", [False, True])
    def test_a_payment_that_waits_for_a_reversal_bears_the_fee_that_it_gives_back(
        self, vendor: Merchant, parked: bool
    ) -> None:
        """A credit that waits moves no wallet when it is reversed; its wallet is locked all the same."""
        intent = started_intent()
        wallet, staff = main_wallet(intent.user), StaffFactory()
        if parked:
            freeze_wallet(wallet_id=wallet.pk, actor=staff, reason="fraud alert")
        receive(intent, "1", "2547.50")
        if parked:
            unfreeze_wallet(wallet_id=wallet.pk, actor=staff, reason="cleared")
        assert ParkedCredit.objects.exists() is parked
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                TransactionService.reverse(
                    Transaction.objects.get(), actor=StaffFactory(), reason="chargeback", now=timezone.now()
                )
                second = pool.submit(in_a_session_of_its_own, lambda: receive(intent, "2", "2547.50"))
                wait_until_somebody_waits()
            second.result(10)
        assert (main_wallet(intent.user).balance, earned()) == (AMOUNT, FEE)
        assert verify().findings == ()

    def test_who_pays_the_same_checkout_twice_pays_one_fee(self, vendor: Merchant) -> None:
        intent = started_intent()
        receive(intent, "1", "2547.50")
        receive(intent, "2", "2547.50")
        assert (main_wallet(intent.user).balance, earned()) == (AMOUNT + AMOUNT + FEE, FEE)

    def test_the_database_refuses_a_fee_that_is_not_a_part_of_its_payment(self, vendor: Merchant) -> None:
        receive(started_intent(), "1", "2547.50")
        for fee in (Decimal(-1), Decimal("2547.50")):
            with pytest.raises(IntegrityError, match="payment_is_more_than_its_fee"), transaction.atomic():
                Payment.objects.update(fee=fee)


class TestWhatComesAfter:
    def test_a_frozen_wallets_credit_waits_without_the_fee(self, vendor: Merchant) -> None:
        intent = started_intent()
        staff: Any = StaffFactory()
        wallet = main_wallet(intent.user)
        freeze_wallet(wallet_id=wallet.pk, actor=staff, reason="fraud alert")
        receive(intent, "1", "2547.50")
        assert (ParkedCredit.objects.get().amount, earned()) == (AMOUNT, FEE)
        assert verify().findings == ()
        unfreeze_wallet(wallet_id=wallet.pk, actor=staff, reason="cleared")
        assert release_for(owner_id=intent.user_id) == 1
        assert main_wallet(intent.user).balance == AMOUNT
        assert verify().findings == ()

    def test_a_reversal_gives_the_gateway_amount_and_fee_back(self, vendor: Merchant) -> None:
        intent = started_intent()
        receive(intent, "1", "2547.50")
        mirror = reverse(Transaction.objects.get())
        assert (mirror.amount, main_wallet(intent.user).balance, earned()) == (AMOUNT + FEE, 0, 0)
        assert verify().findings == ()
