"""What keeps a bill from being paid: nothing is held, nothing is sent, and the key stays free unless a rule refused."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from billers.models import Biller, BillPayment, Product
from fintech_core import circuit, clock
from fintech_core.models import IdempotencyRecord
from tests.billers import bench
from tests.billers.phone import customer, pay, problem
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from transactions import limits, switches
from transactions.models import LimitRule
from users.models import User
from wallet.services import freeze_wallet, open_wallet

Api = Callable[..., APIClient]
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings) -> User:
    """A customer with 50,000.00 and a PIN."""
    settings.RATE_LIMITS = False
    return customer()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Let no test's circuit, switch or limits reach the next."""
    bench.close_circuit()
    switches.forget()
    limits.forget()
    yield
    bench.close_circuit()
    switches.forget()
    limits.forget()


def refused(answer: Any, before: tuple[Any, ...]) -> tuple[int, str]:
    """Return status and code of a refusal that held nothing; only a rule's refusal is kept with its key."""
    assert bench.fingerprint() == before
    assert IdempotencyRecord.objects.exists() is (answer.status_code == 422)
    return problem(answer)


class TestPin:
    def test_without_one_nothing_is_held(self, api: Api, ada: User) -> None:
        before = bench.fingerprint()
        assert refused(pay(api(ada), pin=...), before) == (403, "pin_required")

    def test_a_wrong_one_says_how_often_is_left(self, api: Api, ada: User) -> None:
        before = bench.fingerprint()
        for left in (4, 3, 2, 1):
            answer = pay(api(ada), pin="5084")
            assert refused(answer, before) == (403, "invalid_pin")
            assert answer.json()["attempts_left"] == left

    def test_the_fifth_wrong_one_locks_it_for_the_right_one_too(self, api: Api, ada: User) -> None:
        for _ in range(5):
            answer = pay(api(ada), pin="5084")
        assert problem(answer) == (403, "pin_locked")
        before = bench.fingerprint()
        assert refused(pay(api(ada)), before) == (403, "pin_locked")

    def test_who_has_none_sets_one_first(self, api: Api, ada: User) -> None:
        stranger = UserFactory()
        before = bench.fingerprint()
        assert refused(pay(api(stranger)), before) == (403, "pin_not_set")

    def test_is_looked_at_after_the_body(self, api: Api, ada: User) -> None:
        for _ in range(6):
            assert pay(api(ada), pin="5084", amount="x").status_code == 400
        assert pay(api(ada)).status_code == 202


class TestMoney:
    def test_more_than_there_is(self, api: Api, ada: User) -> None:
        before = bench.fingerprint()
        answer = pay(api(ada), amount="50000.01")
        assert refused(answer, before)[0] == 422
        assert answer.json()["code"] in {"insufficient_funds", "limit_exceeded"}

    def test_the_fee_counts_as_well(self, api: Api, ada: User) -> None:
        Product.objects.filter(biller__code="ikeja-electric").update(fee=Decimal("0.01"))
        before = bench.fingerprint()
        answer = pay(api(ada), amount="50000.00")
        assert refused(answer, before) == (422, "insufficient_funds")
        assert (answer.json()["required"], answer.json()["available"]) == ("50000.01", "50000.00")

    def test_what_is_held_for_one_bill_pays_no_other(self, api: Api, ada: User) -> None:
        assert pay(api(ada), amount="30000.00").status_code == 202
        assert problem(pay(api(ada), amount="20000.01"))[0] == 422
        assert bench.wallet_of(ada) == (Decimal(50000), Decimal(30000))

    @pytest.mark.parametrize("amount", ["0.01", "499.99", "1000000.01", "999999999999999.99"])
    def test_an_amount_outside_the_range(self, api: Api, ada: User, amount: str) -> None:
        before = bench.fingerprint()
        answer = pay(api(ada), amount=amount)
        assert refused(answer, before) == (422, "amount_not_allowed")
        assert (answer.json()["min_amount"], answer.json()["max_amount"]) == ("500.00", "1000000.00")

    @pytest.mark.parametrize("amount", ["1899.99", "1900.01", "3900.00"])
    def test_another_price_than_the_products(self, api: Api, ada: User, amount: str) -> None:
        before = bench.fingerprint()
        answer = pay(api(ada), biller="gotv", product="gotv-smallie", customer_id="1212121212", amount=amount)
        assert refused(answer, before) == (422, "amount_not_allowed")
        assert answer.json()["amount"] == "1900.00"

    def test_another_currency_than_the_products(self, api: Api, ada: User) -> None:
        open_wallet(user=ada, currency="USD")
        before = bench.fingerprint()
        answer = pay(api(ada), currency="USD")
        assert refused(answer, before) == (422, "currency_not_supported")
        assert answer.json()["currency"] == "NGN"


class TestLimits:
    def test_who_is_not_verified_pays_nothing(self, api: Api, settings: Settings) -> None:
        settings.RATE_LIMITS = False
        stranger = customer("1000.00", kyc_tier=0)
        before = bench.fingerprint()
        assert refused(pay(api(stranger), amount="500.00"), before) == (403, "kyc_required")

    def test_what_the_tier_allows_in_a_day_counts_held_money(self, api: Api, ada: User) -> None:
        now = clock.now()
        LimitRule.objects.create(
            tier=1,
            currency="NGN",
            daily=Decimal(12000),
            saved_at=now - timedelta(minutes=2),
            effective_from=now,
        )
        limits.forget()
        assert pay(api(ada)).status_code == 202
        before = bench.fingerprint()
        answer = pay(api(ada), amount="2000.01")
        assert problem(answer) == (422, "limit_exceeded")
        assert (answer.json()["limit_name"], answer.json()["remaining"]) == ("daily", "2000.00")
        assert bench.fingerprint() == before

    def test_a_bill_that_fails_gives_the_limit_back(self, api: Api, ada: User) -> None:
        spent = main_wallet(ada).spent_today
        pay(api(ada))
        assert main_wallet(ada).spent_today == spent + 10000
        payment = BillPayment.objects.get()
        bench.end_as(payment, "refused")
        assert main_wallet(ada).spent_today == spent


class TestStopped:
    @pytest.mark.parametrize("status", ["frozen", "no_debit"])
    def test_a_wallet_that_is_stopped(self, api: Api, ada: User, status: str) -> None:
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=StaffFactory(), reason="x", status=status)
        before = bench.fingerprint()
        assert refused(pay(api(ada)), before) == (403, "wallet_frozen")

    def test_money_out_that_is_paused(self, api: Api, ada: User) -> None:
        switches.stop_money_out(actor=StaffFactory(), reason="x")
        switches.forget()
        before = bench.fingerprint()
        answer = pay(api(ada))
        assert refused(answer, before) == (503, "money_out_paused")
        assert answer["Retry-After"] == "60"

    @pytest.mark.parametrize("what", ["biller", "product"])
    def test_what_is_sold_no_more(self, api: Api, ada: User, what: str) -> None:
        if what == "biller":
            Biller.objects.filter(code="ikeja-electric").update(is_active=False)
        else:
            Product.objects.filter(biller__code="ikeja-electric").update(is_active=False)
        before = bench.fingerprint()
        assert refused(pay(api(ada)), before) == (404, "not_found")

    def test_nobody_pays_without_signing_in(self, api: Api, ada: User) -> None:
        before = bench.fingerprint()
        for path in ("/bills/pay", "/payments/pay-bill"):
            assert refused(pay(api(), path=path), before) == (401, "not_authenticated")


class TestCircuit:
    def open(self) -> None:
        for _ in range(circuit.WINDOW_CALLS):
            circuit.record("vtpass", ok=False)

    def test_a_biller_that_is_down_is_503_before_anything_is_held(self, api: Api, ada: User) -> None:
        self.open()
        before = bench.fingerprint()
        for path in ("/bills/pay", "/payments/pay-bill"):
            answer = pay(api(ada), path=path)
            assert refused(answer, before) == (503, "biller_unavailable")
            assert (answer["Retry-After"], answer.json()["retryable"]) == ("30", True)

    def test_one_order_is_let_through_to_probe(self, api: Api, ada: User) -> None:
        self.open()
        bench.age_circuit(circuit.PROBE_AFTER_S + 1)
        assert pay(api(ada)).status_code == 202
        before = bench.fingerprint()
        assert problem(pay(api(ada), amount="600.00")) == (503, "biller_unavailable")
        assert bench.fingerprint() == before

    def test_an_order_that_is_refused_anyway_does_not_use_the_probe_up(self, api: Api, ada: User) -> None:
        self.open()
        bench.age_circuit(circuit.PROBE_AFTER_S + 1)
        poor = customer("1.00")
        assert problem(pay(api(poor))) == (422, "insufficient_funds")
        assert problem(pay(api(ada), pin="5084")) == (403, "invalid_pin")
        assert problem(pay(api(ada), amount="1.00")) == (422, "amount_not_allowed")
        assert pay(api(ada)).status_code == 202
