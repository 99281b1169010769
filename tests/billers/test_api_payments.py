"""What was paid, over HTTP: lists, filters, one payment, and nobody else's."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from billers import tasks
from billers.models import BillPayment
from fintech_core import clock
from tests.billers import bench
from tests.billers.phone import PAYMENT_FIELDS, faults, get, problem
from tests.sandbox.actors import Merchant
from users.models import User

Api = Callable[..., APIClient]
MTN = {"biller": "mtn", "product": "airtime", "customer_id": "08011111111"}


@pytest.fixture
def ada(settings: Settings) -> User:
    """A customer with money."""
    settings.RATE_LIMITS = False
    return bench.payer()


@pytest.mark.django_db
class TestList:
    @pytest.fixture(autouse=True)
    def _payments(self, ada: User) -> None:
        """Three payments of Ada's, a minute apart, one of somebody else's."""
        start = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.paid = [
            bench.new_payment(ada, amount="500.00"),
            bench.new_payment(ada, **MTN, amount="100.00"),
            bench.new_payment(ada, amount="1500.50"),
        ]
        for minute, payment in enumerate(self.paid):
            self.paid[minute].created_at = start + timedelta(minutes=minute)
            BillPayment.objects.filter(pk=payment.pk).update(created_at=self.paid[minute].created_at)
        bench.end_as(self.paid[0], "refused")
        self.others = bench.new_payment(bench.payer(), amount="500.00")

    def found(self, client: APIClient, **query: Any) -> list[int]:
        """Return which of Ada's payments a query finds, by number."""
        answer = get(client, "/bills/payments", **query)
        assert answer.status_code == 200, answer.content
        ids = [str(payment.pk) for payment in self.paid]
        return [ids.index(body["id"]) for body in answer.json()["results"]]

    def test_shows_ones_own_newest_first(self, api: Api, ada: User) -> None:
        assert self.found(api(ada)) == [2, 1, 0]
        body = get(api(ada), "/bills/payments").json()["results"][0]
        assert (set(body), body["amount"]) == (PAYMENT_FIELDS, "1500.50")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"status": "failed"}, [0]),
            ({"status": "processing"}, [2, 1]),
            ({"status": "reversed"}, []),
            ({"biller": "mtn"}, [1]),
            ({"biller": "nobody"}, []),
            ({"currency": "NGN"}, [2, 1, 0]),
            ({"currency": "USD"}, []),
            ({"amount_min": "500.00"}, [2, 0]),
            ({"amount_min": "0"}, [2, 1, 0]),
            ({"amount_max": "0.00"}, []),
            ({"amount_max": "500.00"}, [1, 0]),
            ({"amount_min": "100.01", "amount_max": "1500.49"}, [0]),
            ({"created_after": "2026-11-20T12:01:00Z"}, [2, 1]),
            ({"created_before": "2026-11-20T12:01:00Z"}, [0]),
            ({"created_after": "2026-11-20T13:01:00+01:00", "created_before": "2026-11-20T12:02:00Z"}, [1]),
            ({"reference": "BILL-nothing"}, []),
            ({"status": "processing", "biller": "ikeja-electric"}, [2]),
        ],
    )
    def test_filters_narrow_it(self, api: Api, ada: User, query: dict[str, str], found: list[int]) -> None:
        assert self.found(api(ada), **query) == found

    def test_a_reference_finds_its_payment_and_never_somebody_elses(self, api: Api, ada: User) -> None:
        assert self.found(api(ada), reference=self.paid[1].reference) == [1]
        assert self.found(api(ada), reference=self.others.reference) == []

    def test_pages_are_stable_while_payments_are_added(self, api: Api, ada: User) -> None:
        first = get(api(ada), "/bills/payments", page_size=2).json()
        bench.new_payment(ada, amount="700.00")
        second = api(ada).get(first["next"]).json()
        assert [body["id"] for body in second["results"]] == [str(self.paid[0].pk)]
        assert second["next"] is None

    @pytest.mark.parametrize(
        ("query", "fault"),
        [
            ({"status": "paid"}, ("status", "invalid_choice")),
            ({"amount_min": "1e3"}, ("amount_min", "invalid_amount")),
            ({"created_after": "yesterday"}, ("created_after", "invalid")),
            ({"created_after": "2026-11-20T12:00:00"}, ("created_after", "invalid")),
            ({"currency": "naira"}, ("currency", "invalid_currency")),
            ({"biller": "a b"}, ("biller", "invalid")),
            ({"user": "x"}, ("user", "unknown_parameter")),
            ({"page_size": "1000"}, ("page_size", "invalid")),
        ],
    )
    def test_a_query_that_nobody_knows_is_400(
        self, api: Api, ada: User, query: dict[str, str], fault: tuple[str, str]
    ) -> None:
        assert fault in faults(get(api(ada), "/bills/payments", **query))

    def test_costs_no_more_queries_for_more_payments(
        self, api: Api, ada: User, django_assert_num_queries: Any
    ) -> None:
        for payment in self.paid[1:]:
            bench.end_as(payment, "refused")
        with django_assert_num_queries(2):
            assert self.found(api(ada)) == [2, 1, 0]


@pytest.mark.django_db
class TestOne:
    def test_is_shown_whole_to_its_owner(self, api: Api, ada: User) -> None:
        payment = bench.new_payment(ada)
        body = get(api(ada), f"/bills/payments/{payment.pk}").json()
        assert set(body) == PAYMENT_FIELDS
        assert (body["reference"], body["transaction_id"]) == (payment.reference, str(payment.transaction_id))
        assert body["resolve_by"] == clock.rfc3339(payment.created_at + timedelta(hours=24))
        assert body["receipt_url"] is None

    def test_one_that_failed_says_why(self, api: Api, ada: User) -> None:
        payment = bench.end_as(bench.new_payment(ada), "amount_too_small")
        body = get(api(ada), f"/bills/payments/{payment.pk}").json()
        assert (body["status"], body["is_final"], body["next_poll_at"], body["resolve_by"]) == (
            "failed", True, None, None,
        )  # fmt: skip
        assert (body["failure"]["code"], body["receipt_url"]) == ("amount_too_small", None)
        assert body["cashback"] == {"amount": "0.00", "status": "none"}

    def test_somebody_elses_is_like_one_that_is_not_there(self, api: Api, ada: User) -> None:
        others = bench.new_payment(bench.payer())
        missing = get(api(ada), f"/bills/payments/{uuid4()}").json()
        hidden = get(api(ada), f"/bills/payments/{others.pk}").json()
        assert (hidden["status"], hidden["code"]) == (404, "not_found")
        assert {**hidden, "request_id": ""} == {**missing, "request_id": ""}

    @pytest.mark.parametrize("pk", ["nonsense", "7", "00000000-0000-0000-0000-00000000000Z"])
    def test_what_is_no_id_is_404(self, api: Api, ada: User, pk: str) -> None:
        assert get(api(ada), f"/bills/payments/{pk}").status_code == 404

    def test_is_for_people_who_signed_in(self, api: Api, ada: User) -> None:
        payment = bench.new_payment(ada)
        for path in ("/bills/payments", f"/bills/payments/{payment.pk}"):
            assert problem(get(api(), path)) == (401, "not_authenticated")


@pytest.mark.usefixtures("committed_db")
class TestWaiting:
    def test_without_being_asked_to_nothing_is_waited_for(
        self, api: Api, ada: User, vendor: Merchant
    ) -> None:
        payment, began = bench.new_payment(ada), time.monotonic()
        for headers in ({}, {"Prefer": "wait=0"}, {"Prefer": "respond-async"}):
            answer = api(ada).get(f"/api/v1/bills/payments/{payment.pk}", headers=headers)
            assert answer.json()["status"] == "processing"
        assert time.monotonic() - began < 2

    def test_a_payment_is_waited_for_as_long_as_asked(self, api: Api, ada: User, vendor: Merchant) -> None:
        payment, began = bench.new_payment(ada), time.monotonic()
        answer = api(ada).get(f"/api/v1/bills/payments/{payment.pk}", headers={"Prefer": "wait=1"})
        assert answer.json()["status"] == "processing"
        assert 1 <= time.monotonic() - began < 3

    def test_its_end_is_told_at_once(self, api: Api, ada: User, vendor: Merchant) -> None:
        payment = bench.new_payment(ada)

        def work() -> None:
            try:
                tasks.send(str(payment.pk))
            finally:
                connection.close()

        worker = Thread(target=work)
        worker.start()
        answer = api(ada).get(f"/api/v1/bills/payments/{payment.pk}", headers={"Prefer": "wait=8"})
        worker.join()
        assert answer.json()["status"] == "completed"
        assert timezone.now() - BillPayment.objects.get().created_at < timedelta(seconds=7)
