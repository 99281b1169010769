"""Quotes over HTTP: who the customer is and what it will cost, asked of the vendor, with no money moved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from billers.models import Product, Quote
from fintech_core import circuit
from tests.billers import bench
from tests.billers.phone import BILL, QUOTE_FIELDS, faults, problem, validate
from tests.billers.scripted import scripted
from tests.factories import UserFactory
from tests.sandbox.actors import Merchant
from users.models import User

Api = Callable[..., APIClient]
CARD = {"biller": "gotv", "product": "gotv-max", "customer_id": "1212121212", "amount": ...}
pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def ada() -> User:
    """A customer, who needs neither money nor PIN to ask."""
    user: User = UserFactory(kyc_tier=0)
    return user


def refused(answer: Any, before: tuple[Any, ...]) -> tuple[int, str]:
    """Return status and code of a refusal that left everything as it was."""
    assert (bench.fingerprint(), Quote.objects.count()) == (before, 0)
    return problem(answer)


class TestMeter:
    def test_tells_name_address_price_and_cashback(self, api: Api, ada: User, vendor: Merchant) -> None:
        before = bench.fingerprint()
        answer = validate(api(ada))
        body = answer.json()
        assert (answer.status_code, set(body)) == (200, QUOTE_FIELDS)
        assert (body["customer_name"], body["address"]) == ("TESTMETER1", "ABULE EGBA BU ABULE")
        assert (body["amount"], body["fee"], body["total"], body["cashback"], body["currency"]) == (
            "10000.00", "0.00", "10000.00", "100.00", "NGN",
        )  # fmt: skip
        assert (body["min_amount"], body["max_amount"]) == ("500.00", "1000000.00")
        assert (body["current_product"], body["renewal_amount"], body["due_on"]) == (None, None, None)
        assert bench.fingerprint() == before

    def test_the_quote_is_kept_for_15_minutes_for_its_owner(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        body = validate(api(ada)).json()
        quote = Quote.objects.get()
        assert (str(quote.pk), quote.user_id, quote.customer_id) == (
            body["quote_id"],
            ada.pk,
            bench.DELIVERED,
        )
        good_for = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=14) < good_for <= timedelta(minutes=15)

    def test_the_amount_may_be_chosen_later(self, api: Api, ada: User, vendor: Merchant) -> None:
        for amount in (..., None):
            body = validate(api(ada), amount=amount).json()
            assert (body["amount"], body["total"], body["cashback"]) == (None, None, "0.00")
            assert body["min_amount"] == "500.00"

    def test_a_fee_comes_on_top(self, api: Api, ada: User, vendor: Merchant) -> None:
        Product.objects.filter(biller__code="ikeja-electric").update(fee=Decimal(100))
        body = validate(api(ada)).json()
        assert (body["fee"], body["total"]) == ("100.00", "10100.00")

    def test_the_vendors_least_amount_narrows_ours(self, api: Api, ada: User, settings: Settings) -> None:
        with scripted(settings) as script:
            content = {"Customer_Name": "ADA", "Min_Purchase_Amount": "2500", "Maximum_Amount": "20000"}
            script.say({"code": "000", "content": content})
            body = validate(api(ada)).json()
            assert (body["min_amount"], body["max_amount"]) == ("2500.00", "20000.00")
            for amount in ("2499.99", "20000.01"):
                assert problem(validate(api(ada), amount=amount)) == (422, "amount_not_allowed")

    def test_the_vendors_words_are_cut_to_fit(self, api: Api, ada: User, settings: Settings) -> None:
        with scripted(settings) as script:
            long = "<b>Ada\x00" + "x" * 900
            script.say({"code": "000", "content": {"Customer_Name": long, "Address": long}})
            body = validate(api(ada)).json()
        assert (len(body["customer_name"]), len(body["address"])) == (120, 200)
        assert body["customer_name"].startswith("b Ada xx")


class TestSmartCard:
    def test_tells_the_package_its_renewal_and_when_it_is_due(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        body = validate(api(ada), **CARD).json()
        assert body["customer_name"] == "TEST CUSTOMER"
        assert (body["current_product"], body["renewal_amount"]) == ("GOtv Smallie N1,900", "1900.00")
        assert datetime.fromisoformat(body["due_on"]).date() > datetime.now(UTC).date()
        assert (body["amount"], body["total"]) == ("8500.00", "8500.00")

    @pytest.mark.parametrize(
        ("amount", "answered"), [("8500.00", 200), ("1900.00", 200), ("1900.01", 422), ("8499.99", 422)]
    )
    def test_costs_its_price_or_the_renewal(
        self, api: Api, ada: User, vendor: Merchant, amount: str, answered: int
    ) -> None:
        answer = validate(api(ada), **{**CARD, "amount": amount})
        assert answer.status_code == answered
        if answered == 422:
            assert (answer.json()["code"], answer.json()["amount"]) == ("amount_not_allowed", "8500.00")


class TestWithoutTheVendor:
    def test_a_phone_number_is_quoted_without_asking_anybody(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        body = validate(
            api(ada), biller="mtn", product="airtime", customer_id="08011111111", amount="100.00"
        ).json()
        assert (body["customer_name"], body["address"], body["total"]) == (None, None, "100.00")
        assert bench.operations(vendor) == []


class TestRefusals:
    @pytest.mark.parametrize("number", [bench.REFUSED, "777777777777"])
    def test_an_unknown_customer_is_422(self, api: Api, ada: User, vendor: Merchant, number: str) -> None:
        before = bench.fingerprint()
        assert refused(validate(api(ada), customer_id=number), before) == (422, "customer_not_found")

    def test_a_customer_who_is_not_served_is_told_so(self, api: Api, ada: User, settings: Settings) -> None:
        before = bench.fingerprint()
        with scripted(settings) as script:
            script.say({"code": "000", "content": {"Customer_Name": "ADA", "Can_Vend": "no"}})
            answer = validate(api(ada))
        assert refused(answer, before) == (422, "customer_not_found")
        assert "does not sell to this customer" in answer.json()["detail"]

    @pytest.mark.parametrize("amount", ["499.99", "1000000.01"])
    def test_an_amount_outside_the_range_is_422_with_the_range(
        self, api: Api, ada: User, vendor: Merchant, amount: str
    ) -> None:
        before = bench.fingerprint()
        answer = validate(api(ada), amount=amount)
        assert refused(answer, before) == (422, "amount_not_allowed")
        assert (answer.json()["min_amount"], answer.json()["max_amount"]) == ("500.00", "1000000.00")

    @pytest.mark.parametrize("kind", ["error_before", "garbage", "rate_limited", "unauthorized", "reset"])
    def test_a_vendor_that_does_not_answer_clearly_is_503(
        self, api: Api, ada: User, vendor: Merchant, kind: str
    ) -> None:
        before = bench.fingerprint()
        vendor.fault("vtpass", "merchant_verify", kind)
        answer = validate(api(ada))
        assert refused(answer, before) == (503, "biller_unavailable")
        assert (answer["Retry-After"], answer.json()["retryable"]) == ("30", True)

    def test_a_vendor_that_is_not_there_is_503(
        self, api: Api, ada: User, vendor: Merchant, settings: Settings
    ) -> None:
        before = bench.fingerprint()
        settings.VTPASS_BASE_URL = "http://127.0.0.1:9"
        assert refused(validate(api(ada)), before) == (503, "biller_unavailable")

    def test_a_silent_vendor_is_waited_for_no_longer_than_allowed(
        self, api: Api, ada: User, vendor: Merchant, settings: Settings
    ) -> None:
        settings.WEB_WAIT_LIMIT_S = 0.5
        before = bench.fingerprint()
        vendor.fault("vtpass", "merchant_verify", "latency", seconds=5)
        began = datetime.now(UTC)
        assert refused(validate(api(ada)), before) == (503, "biller_unavailable")
        assert datetime.now(UTC) - began < timedelta(seconds=3)

    def test_an_open_circuit_asks_nobody_until_a_question_may_probe(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        before = bench.fingerprint()
        for _ in range(circuit.WINDOW_CALLS):
            circuit.record("vtpass", ok=False)
        assert refused(validate(api(ada)), before) == (503, "biller_unavailable")
        assert bench.operations(vendor) == []
        bench.age_circuit(circuit.PROBE_AFTER_S + 1)
        assert validate(api(ada)).status_code == 200
        assert circuit.status("vtpass") == "operational"

    @pytest.mark.parametrize(
        "changes", [{"biller": "nobody"}, {"product": "nothing"}, {"product": "airtime"}, {"biller": "mtn"}]
    )
    def test_what_is_not_sold_is_404(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, str]
    ) -> None:
        before = bench.fingerprint()
        assert refused(validate(api(ada), **changes), before) == (404, "not_found")

    def test_what_is_sold_no_more_is_404(self, api: Api, ada: User, vendor: Merchant) -> None:
        Product.objects.filter(biller__code="ikeja-electric").update(is_active=False)
        assert problem(validate(api(ada))) == (404, "not_found")

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"biller": ...}, ("biller", "required")),
            ({"product": ...}, ("product", "required")),
            ({"customer_id": ...}, ("customer_id", "required")),
            ({"biller": "a b"}, ("biller", "invalid")),
            ({"biller": 7}, ("biller", "invalid")),
            ({"product": "x" * 61}, ("product", "max_length")),
            ({"product": "é"}, ("product", "invalid")),
            ({"customer_id": "123"}, ("customer_id", "min_length")),
            ({"customer_id": "1" * 65}, ("customer_id", "max_length")),
            ({"customer_id": "1111 1111"}, ("customer_id", "invalid_customer_id")),
            ({"customer_id": "١١١١١١١"}, ("customer_id", "invalid_customer_id")),
            ({"customer_id": "'; DROP"}, ("customer_id", "invalid_customer_id")),
            ({"customer_id": "@@@@"}, ("customer_id", "invalid_customer_id")),
            ({"customer_id": 1111111111111}, ("customer_id", "invalid")),
            ({"amount": 10000}, ("amount", "invalid_amount")),
            ({"amount": "500.001"}, ("amount", "invalid_amount")),
            ({"amount": "0"}, ("amount", "invalid_amount")),
            ({"amount": "-500"}, ("amount", "invalid_amount")),
            ({"amount": "1e3"}, ("amount", "invalid_amount")),
            ({"pin": "5083"}, ("pin", "unknown_field")),
        ],
    )
    def test_a_body_that_is_wrong_is_400(
        self, api: Api, ada: User, vendor: Merchant, changes: dict[str, Any], fault: tuple[str, str]
    ) -> None:
        before = bench.fingerprint()
        answer = validate(api(ada), **changes)
        assert fault in faults(answer)
        assert refused(answer, before) == (400, "validation_error")
        assert bench.operations(vendor) == []

    def test_nobody_asks_without_signing_in(self, api: Api, vendor: Merchant) -> None:
        assert problem(validate(api())) == (401, "not_authenticated")
        assert bench.operations(vendor) == []

    def test_asking_is_limited(self, api: Api, ada: User, vendor: Merchant, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        phone = {
            **BILL,
            "biller": "mtn",
            "product": "airtime",
            "customer_id": "08011111111",
            "amount": "100.00",
        }
        # Of a full minute's worth, and of what comes back while a slow machine sends it.
        statuses = [validate(api(ada), **phone).status_code for _ in range(90)]
        assert statuses[:30] == [200] * 30
        assert 429 in statuses
