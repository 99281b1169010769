"""Paying over HTTP: what is ordered, what is answered, and what is refused before anything is held."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from billers import tasks
from billers.models import BillPayment, Product, ProductRoute, Quote
from fintech_core.models import IdempotencyRecord
from tests.billers import bench
from tests.billers.phone import PAYMENT_FIELDS, customer, faults, get, pay, problem, validate
from tests.sandbox.actors import Merchant, eventually
from users.models import User

Api = Callable[..., APIClient]
pytestmark = pytest.mark.usefixtures("committed_db")
CARD = {"biller": "gotv", "product": "gotv-max", "customer_id": "1212121212", "amount": "8500.00"}
AIRTIME = {"biller": "mtn", "product": "airtime", "customer_id": "08011111111", "amount": "100.00"}


@pytest.fixture
def ada() -> User:
    """A customer with 50,000.00 and a PIN."""
    return customer()


def refused(answer: Any, before: tuple[Any, ...]) -> tuple[int, str]:
    """Return status and code of a refusal that left everything as it was, and its key free."""
    assert bench.fingerprint() == before
    if answer.status_code != 422:
        assert not IdempotencyRecord.objects.exists()
    return problem(answer)


def while_working(send: Callable[[], Any]) -> Any:
    """Send an order while a worker waits for it."""

    def work() -> None:
        try:
            eventually(BillPayment.objects.exists)
            tasks.send(str(BillPayment.objects.get().pk))
        finally:
            connection.close()

    worker = Thread(target=work)
    worker.start()
    answer = send()
    worker.join()
    return answer


class TestAnswers:
    def test_an_order_under_way_is_202_and_says_where_to_look(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        answer = pay(api(ada))
        body = answer.json()
        assert (answer.status_code, set(body)) == (202, PAYMENT_FIELDS)
        assert answer["Location"] == f"/api/v1/bills/payments/{body['id']}"
        assert (body["status"], body["is_final"], body["token"], body["failure"]) == (
            "processing", False, None, None,
        )  # fmt: skip
        assert body["cashback"] == {"amount": "100.00", "status": "pending"}
        assert body["next_poll_at"] < body["resolve_by"]
        assert bench.wallet_of(ada) == (Decimal(50000), Decimal(10000))
        assert api(ada).get(answer["Location"]).json()["reference"] == body["reference"]

    def test_an_order_that_ends_while_it_is_waited_for_is_201_with_its_token(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        answer = while_working(lambda: pay(api(ada), wait=8))
        body = answer.json()
        assert (answer.status_code, set(body), "Location" in answer) == (201, PAYMENT_FIELDS, False)
        receipt = api(ada).get(body["receipt_url"].removeprefix(settings.PUBLIC_URL))
        assert (receipt.status_code, receipt.json()["amount"]) == (200, "10000.00")
        assert (body["status"], body["is_final"], body["resolve_by"]) == ("completed", True, None)
        assert (len(body["token"]), body["token"].isdigit()) == (20, True)
        assert body["cashback"] == {"amount": "100.00", "status": "earned"}
        assert (body["amount"], body["fee"], body["total"]) == ("10000.00", "0.00", "10000.00")
        assert bench.wallet_of(ada) == (Decimal(40000), Decimal(0))

    def test_an_order_that_is_refused_while_it_is_waited_for_is_422_and_takes_nothing(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        answer = while_working(lambda: pay(api(ada), wait=8, customer_id=bench.REFUSED))
        assert problem(answer) == (422, "bill_declined")
        payment = BillPayment.objects.get()
        assert answer.json()["payment_id"] == str(payment.pk)
        assert answer.json()["failure"] == {"code": "refused", "detail": "The biller refused this payment."}
        assert bench.wallet_of(ada) == (Decimal(50000), Decimal(0))

    def test_our_own_trouble_with_the_vendor_is_not_told(self, api: Api, ada: User, vendor: Merchant) -> None:
        vendor.fault("vtpass", "pay", "float_empty")
        answer = while_working(lambda: pay(api(ada), wait=8))
        assert answer.json()["failure"]["code"] == "biller_unavailable"
        assert BillPayment.objects.get().failure_code == "float_empty"
        seen = get(api(ada), f"/transactions/{BillPayment.objects.get().transaction_id}")
        assert seen.json()["failure"]["code"] == "biller_unavailable"
        assert "float" not in f"{answer.json()} {seen.json()}"


class TestKeys:
    def test_a_repeat_answers_as_things_stand_on_either_route_and_needs_no_pin(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        key = str(uuid4())
        first = pay(api(ada), key=key)
        again = pay(api(ada), key=key, path="/payments/pay-bill", pin=...)
        assert (again.status_code, again["Idempotent-Replayed"]) == (202, "true")
        assert again["Location"] == first["Location"]
        bench.work(BillPayment.objects.get())
        done = [pay(api(ada), key=key, pin=...) for _ in range(2)]
        assert [answer.status_code for answer in done] == [201, 201]
        assert done[0].json() == done[1].json()
        assert done[0].json()["token"].isdigit()
        assert (BillPayment.objects.count(), bench.pays(vendor)) == (1, 1)

    @pytest.mark.parametrize(
        "changes", [{"amount": "10000.01"}, {"customer_id": bench.PENDING}, {"phone": "08022222222"}]
    )
    def test_a_key_belongs_to_one_order(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, str]
    ) -> None:
        key = str(uuid4())
        pay(api(ada), key=key)
        before = bench.fingerprint()
        assert refused(pay(api(ada), key=key, **changes), before) == (422, "idempotency_key_reused")

    def test_a_refusal_by_rule_is_kept_with_its_key(self, api: Api, vendor: Merchant) -> None:
        poor, key = customer("100.00"), str(uuid4())
        before = bench.fingerprint()
        first = pay(api(poor), key=key)
        assert refused(first, before) == (422, "insufficient_funds")
        again = pay(api(poor), key=key)
        assert (again.status_code, again["Idempotent-Replayed"]) == (422, "true")

    def test_without_a_key_nothing_is_looked_at(self, api: Api, ada: User, vendor: Merchant) -> None:
        before = bench.fingerprint()
        body = {**AIRTIME, "pin": "5083"}
        assert refused(api(ada).post("/api/v1/bills/pay", body, format="json"), before) == (
            400, "idempotency_key_missing",
        )  # fmt: skip

    def test_a_stored_answer_does_not_show_its_token(self, api: Api, ada: User, vendor: Merchant) -> None:
        key = str(uuid4())
        pay(api(ada), key=key)
        payment = bench.work(BillPayment.objects.get())
        token = str(payment.token)
        assert pay(api(ada), key=key).json()["token"] == token
        for table in ("fintech_core_idempotencyrecord", "billers_billpayment", "billers_billattempt",
                      "notifications_event", "fintech_core_auditrecord", "transactions_transaction"):  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT string_agg(t::text, '|') FROM {table} t")
                assert token not in str(cursor.fetchone()[0])


class TestOrders:
    def test_the_phone_is_the_customers_unless_another_is_sent(self, api: Api, vendor: Merchant) -> None:
        ada = customer(phone="+2348031234567")
        pay(api(ada), **AIRTIME)
        pay(api(ada), **{**AIRTIME, "amount": "101.00"}, phone="08055555555")
        pay(api(ada), **{**AIRTIME, "amount": "102.00"}, phone=None)
        pay(api(customer()), **AIRTIME)
        phones = BillPayment.objects.order_by("created_at").values_list("phone", flat=True)
        assert list(phones) == ["+2348031234567", "08055555555", "+2348031234567", ""]

    def test_a_quote_binds_name_and_fee(self, api: Api, ada: User, vendor: Merchant) -> None:
        quote = validate(api(ada)).json()
        Product.objects.filter(biller__code="ikeja-electric").update(fee=Decimal(100))
        body = pay(api(ada), quote_id=quote["quote_id"]).json()
        assert (body["customer_name"], body["fee"], body["total"]) == ("TESTMETER1", "0.00", "10000.00")
        other = pay(api(ada), allow_duplicate=True).json()
        assert (other["customer_name"], other["fee"], other["total"]) == (None, "100.00", "10100.00")
        assert bench.wallet_of(ada)[1] == Decimal(20100)

    def test_a_quote_without_amount_takes_any_in_its_range(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        quote = validate(api(ada), amount=...).json()["quote_id"]
        assert pay(api(ada), quote_id=quote, amount="777.77").status_code == 202
        before = bench.fingerprint()
        assert refused(pay(api(ada), quote_id=quote, amount="499.99"), before) == (422, "amount_not_allowed")

    def test_a_renewal_costs_what_the_quote_says(self, api: Api, ada: User, vendor: Merchant) -> None:
        quote = validate(api(ada), **{**CARD, "amount": "1900.00"}).json()["quote_id"]
        renewal = {**CARD, "amount": "1900.00", "quote_id": quote}
        before = bench.fingerprint()
        assert refused(pay(api(ada), **renewal), before) == (422, "amount_not_allowed")
        assert refused(pay(api(ada), **renewal, subscription="change"), before) == (422, "amount_not_allowed")
        assert pay(api(ada), **renewal, subscription="renew").status_code == 202
        payment = bench.work(BillPayment.objects.get())
        assert (payment.status, payment.amount) == ("completed", Decimal(1900))


class TestQuotes:
    def test_an_expired_one_is_refused(self, api: Api, ada: User, vendor: Merchant) -> None:
        quote = validate(api(ada)).json()["quote_id"]
        before = bench.fingerprint()
        with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1), tick=True):
            assert refused(pay(api(ada), quote_id=quote), before) == (422, "quote_expired")

    @pytest.mark.parametrize(
        "changes",
        [{"amount": "10000.01"}, {"customer_id": bench.PENDING}, {"product": "postpaid"}, {"biller": "eko-electric"}],
    )  # fmt: skip
    def test_one_for_something_else_is_refused(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, str]
    ) -> None:
        quote = validate(api(ada)).json()["quote_id"]
        before = bench.fingerprint()
        assert refused(pay(api(ada), quote_id=quote, **changes), before) == (422, "quote_mismatch")

    def test_somebody_elses_is_no_quote(self, api: Api, ada: User, vendor: Merchant) -> None:
        quote = validate(api(customer(""))).json()["quote_id"]
        before = bench.fingerprint()
        assert refused(pay(api(ada), quote_id=quote), before) == (404, "not_found")
        assert refused(pay(api(ada), quote_id=str(uuid4())), before) == (404, "not_found")
        assert Quote.objects.count() == 1


class TestDuplicates:
    def test_the_same_bill_within_30_seconds_is_asked_about(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        first = pay(api(ada)).json()["id"]
        before = bench.fingerprint()
        again = pay(api(ada))
        assert problem(again) == (409, "possible_duplicate")
        assert again.json()["payment_id"] == first
        assert bench.fingerprint() == before
        assert pay(api(ada), allow_duplicate=True).status_code == 202

    @pytest.mark.parametrize(
        "changes", [{"amount": "10000.01"}, {"customer_id": bench.PENDING}, {"product": "postpaid"}]
    )
    def test_another_bill_is_none(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, str]
    ) -> None:
        pay(api(ada))
        assert pay(api(ada), **changes).status_code == 202

    def test_after_30_seconds_or_a_failure_it_is_none(self, api: Api, vendor: Merchant) -> None:
        ada, bola = customer(), customer()
        pay(api(ada))
        with time_machine.travel(timezone.now() + timedelta(seconds=31), tick=True):
            assert pay(api(ada)).status_code == 202
        pay(api(bola), customer_id=bench.REFUSED)
        bench.work(BillPayment.objects.get(user=bola))
        assert pay(api(bola), customer_id=bench.REFUSED).status_code == 202

    def test_somebody_else_may_pay_the_same_meter(self, api: Api, ada: User, vendor: Merchant) -> None:
        pay(api(ada))
        assert pay(api(customer())).status_code == 202


class TestRoutes:
    def test_a_product_that_nobody_sells_is_404(self, api: Api, ada: User, vendor: Merchant) -> None:
        before = bench.fingerprint()
        ProductRoute.objects.filter(product__biller__code="mtn").update(vendor="nobody")
        assert refused(pay(api(ada), **AIRTIME), before) == (404, "not_found")

    def test_a_vendor_that_is_paid_in_naira_sells_nothing_for_dollars(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        before = bench.fingerprint()
        Product.objects.filter(biller__code="mtn").update(currency="USD")
        assert refused(pay(api(ada), **AIRTIME, currency="USD"), before) == (404, "not_found")

    def test_the_first_route_that_is_open_is_taken(
        self, api: Api, ada: User, vendor: Merchant, settings: Settings
    ) -> None:
        product = Product.objects.get(biller__code="mtn")
        ProductRoute.objects.create(product=product, vendor="nobody", service_id="mtn", priority=0)
        assert pay(api(ada), **AIRTIME).status_code == 202
        assert BillPayment.objects.get().vendor == "vtpass"


class TestBodies:
    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"amount": ...}, ("amount", "required")),
            ({"amount": None}, ("amount", "null")),
            ({"amount": 10000}, ("amount", "invalid_amount")),
            ({"amount": "500.001"}, ("amount", "invalid_amount")),
            ({"currency": "XXX"}, ("currency", "invalid_currency")),
            ({"customer_id": "1 1 1 1"}, ("customer_id", "invalid_customer_id")),
            ({"quote_id": "7"}, ("quote_id", "invalid")),
            ({"phone": "12345"}, ("phone", "invalid_phone")),
            ({"phone": "+234801111111111"}, None),
            ({"phone": "0801111111١"}, ("phone", "invalid_phone")),
            ({"phone": ""}, ("phone", "blank")),
            ({"subscription": "upgrade"}, ("subscription", "invalid_choice")),
            ({"subscription": "renew"}, ("subscription", "invalid")),
            ({"allow_duplicate": "yes"}, ("allow_duplicate", "invalid")),
            ({"allow_duplicate": 1}, ("allow_duplicate", "invalid")),
            ({"status": "completed"}, ("status", "unknown_field")),
            ({"fee": "0"}, ("fee", "unknown_field")),
            ({"user_id": "x"}, ("user_id", "unknown_field")),
        ],
    )
    def test_a_body_that_is_wrong_is_400(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, Any], fault: tuple[str, str] | None
    ) -> None:
        before = bench.fingerprint()
        answer = pay(api(ada), **changes)
        if fault is None:
            assert answer.status_code == 202
        else:
            assert fault in faults(answer)
            assert refused(answer, before) == (400, "validation_error")
